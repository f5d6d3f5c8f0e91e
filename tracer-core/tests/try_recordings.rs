use tracer_core::judge::Judge;
use tracer_core::log::Reader;
#[test]
fn recs() {
    let only = std::env::var("ONLY").ok();
    let mut files: Vec<_> = std::fs::read_dir("../../shared/cases/recordings")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|x| x == "jsonl"))
        .collect();
    files.push("../demo/restart.jsonl".into());
    files.sort();
    for f in files {
        let name = f.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|o| !name.contains(o.as_str())) {
            continue;
        }
        let bytes = std::fs::read(&f).unwrap();
        let mut r = Reader::new(bytes.as_slice()).unwrap();
        let mut j = Judge::new(r.header().clone());
        (&mut r).for_each(|e| j.push(e.unwrap()));
        let rep = j.finish(None);
        let b = tracer_core::budget::judge(&rep, &tracer_core::budget::Budget::nothing());
        println!(
            "===== {name}: {:?} check {:?} why {:?}",
            rep.verdict, b.verdict, rep.why
        );
        for d in &rep.disruptions {
            println!(
                "  {:?} {:?} began {} ended {:?} lost {} ms {:?}",
                d.kind,
                d.verdict,
                d.began_ns.0 / 1000000,
                d.ended_ns.map(|x| x.0 / 1000000),
                d.summary.lost_packets,
                d.milestones
            );
            for p in &d.pods {
                if p.namespace.is_none() && p.cause.is_none() {
                    continue;
                }
                let w: Vec<String> = p
                    .witnesses
                    .iter()
                    .filter(|w| w.state != tracer_core::witness::source::State::Whole)
                    .map(|w| {
                        format!(
                            "{:?} {:?} {}",
                            w.source,
                            w.state,
                            w.why.clone().unwrap_or_default()
                        )
                    })
                    .collect();
                println!(
                    "    {} {:?} cause {:?} exp {:?} to {:?} from {:?} proof {:?} inst {:?}",
                    p.name,
                    p.verdict,
                    p.cause,
                    p.exposed.as_ref().map(|e| (
                        (e.start_ns.0 - d.began_ns.0) / 1000000,
                        e.duration_ns.map(|x| x / 1000000),
                        e.ended_by
                    )),
                    p.observed
                        .to_pod
                        .as_ref()
                        .map(|l| (l.lost_packets, l.by_reason.clone())),
                    p.observed
                        .from_pod
                        .as_ref()
                        .map(|l| (l.lost_packets, l.by_reason.clone())),
                    p.proof
                        .as_ref()
                        .map(|x| (x.says(), x.lost_packets(), x.window_ns())),
                    p.flows_installed_ns.map(|x| (x.0 - d.began_ns.0) / 1000000)
                );
                println!("        {w:?}");
            }
            for u in &d.unattributed {
                println!("    unattributed {} {}", u.interface, u.loss.lost_packets);
            }
        }
        for c in &rep.conditions {
            println!("  condition {:?}", c);
        }
        for s in &rep.steady_drops {
            println!("  steady {} {} {:?}", s.interface, s.dst, s.by_reason);
        }
    }
}
