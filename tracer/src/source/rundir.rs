//! Where OVS keeps its sockets.
//!
//! Must not depend on: what is said over them.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

/// Run directories by likelihood: the usual one, its older name, and the one an Antrea agent mounts on the
/// host (`antrea/build/charts/antrea/templates/agent/daemonset.yaml`).
pub const CANDIDATES: [&str; 3] = [
    "/run/openvswitch",
    "/var/run/openvswitch",
    "/var/run/antrea/openvswitch",
];

/// The first candidate in which ovsdb-server listens, else the first that is there at all, else the usual one.
pub fn find() -> PathBuf {
    pick(&CANDIDATES.map(Path::new))
}

fn pick(candidates: &[&Path]) -> PathBuf {
    let first = |test: &dyn Fn(&Path) -> bool| candidates.iter().copied().find(|dir| test(dir));
    first(&|dir| db_socket(dir).exists())
        .or_else(|| first(&Path::is_dir))
        .or(candidates.first().copied())
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// The socket of ovsdb-server in a run directory.
pub fn db_socket(rundir: &Path) -> PathBuf {
    rundir.join("db.sock")
}

/// The socket of `--db`: a path, or `unix:PATH` as the tools of OVS write it.
///
/// Errors: any other way to reach a server: times would be those of another machine.
pub fn parse_db(db: &str) -> anyhow::Result<PathBuf> {
    match db.split_once(':') {
        Some(("unix", path)) => Ok(path.into()),
        Some((method @ ("tcp" | "ssl" | "ptcp" | "pssl" | "punix"), _)) => {
            bail!(
                "cannot use --db {db}: {method} is not supported; give the socket of this node's ovsdb-server"
            )
        }
        None | Some(_) => Ok(db.into()),
    }
}

/// The OpenFlow management socket of a bridge, which ovs-vswitchd opens for every bridge.
///
/// Errors: with this name it would be another socket. Whoever may write to OVSDB chooses the name; ovs-vswitchd leaves out a
/// bridge whose name has a slash (`add_del_bridges`, vswitchd/bridge.c) for the same reason.
pub fn mgmt_socket(rundir: &Path, bridge: &str) -> anyhow::Result<PathBuf> {
    let names_a_file = !matches!(bridge, "" | "." | "..") && !bridge.contains(['/', '\0']);
    ensure!(
        names_a_file,
        "no bridge can be called {bridge:?}, so its flows are not watched: ovs-vswitchd ignores it; rename it (`ovs-vsctl list Bridge`)"
    );
    Ok(rundir.join(format!("{bridge}.mgmt")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_with_a_database_socket_wins() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let absent = Path::new("/nowhere/openvswitch");
        let candidates = [absent, dirs[0].path(), dirs[1].path()];
        assert_eq!(pick(&candidates), dirs[0].path());
        std::fs::write(db_socket(dirs[1].path()), "").unwrap();
        assert_eq!(pick(&candidates), dirs[1].path());
        assert_eq!(pick(&[absent]), absent);
    }

    #[test]
    fn no_bridge_leads_elsewhere() {
        let socket = |bridge| mgmt_socket(Path::new("/run/openvswitch"), bridge);
        for bridge in [
            "",
            ".",
            "..",
            "/",
            "../../tmp/x",
            "/tmp/x",
            "br/../../x",
            "br\0",
            "\0",
        ] {
            let error = socket(bridge).unwrap_err().to_string();
            assert!(error.contains("rename it"), "{error}");
        }
        for bridge in ["br-int", "br.int", "..br", "br int"] {
            let path = socket(bridge).unwrap();
            assert_eq!(path.parent(), Some(Path::new("/run/openvswitch")));
        }
    }

    #[test]
    fn the_ways_to_name_a_database() {
        assert_eq!(parse_db("/run/x/db.sock").unwrap(), Path::new("/run/x/db.sock"));
        assert_eq!(
            parse_db("unix:/run/x/db.sock").unwrap(),
            Path::new("/run/x/db.sock")
        );
        assert_eq!(parse_db("./a:b").unwrap(), Path::new("./a:b"));
        assert!(
            parse_db("tcp:127.0.0.1:6640")
                .unwrap_err()
                .to_string()
                .contains("socket of this node")
        );
    }
}
