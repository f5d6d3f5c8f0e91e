//! Kernel modules that must be loaded before the root drive can be mounted, and in which order.
//!
//! Must not depend on: where they go. Pure over the text of `modules.dep` and `modules.builtin`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// What the root drive and the port need: the drive, its bus, its file system, the port.
pub const NEEDED: &[&str] = &["virtio_pci", "virtio_blk", "ext4", "virtio_console"];

/// Paths (below the modules' folder) of `needed` and all they depend on, each after its dependencies.
/// `dependencies` is the text of `modules.dep`, `builtin` that of `modules.builtin`.
pub fn load_order(dependencies: &str, builtin: &str, needed: &[&str]) -> Result<Vec<String>> {
    let table: BTreeMap<String, (&str, Vec<&str>)> = dependencies
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| (module_name(path), (path, needs.split_whitespace().collect())))
        .collect();
    let builtin: Vec<String> = builtin.lines().map(module_name).collect();
    let mut order = Vec::new();
    for name in needed {
        match table.get(*name) {
            // modules.dep lists the dependencies from the nearest to the farthest.
            Some((path, needs)) => {
                for path in needs.iter().rev().chain([path]) {
                    if !order.iter().any(|known: &String| known == path) {
                        order.push((*path).to_owned());
                    }
                }
            }
            None if builtin.iter().any(|known| known == name) => {}
            None => bail!("the kernel has no module {name}"),
        }
    }
    Ok(order)
}

/// `kernel/fs/ext4/ext4.ko.xz` → `ext4`; modules are named with underscores whatever their file is called.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n\
        kernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc16.ko.xz:\n\
        kernel/drivers/virtio/virtio_blk.ko.xz: kernel/drivers/virtio/virtio-ring.ko.xz\n\
        kernel/drivers/virtio/virtio-ring.ko.xz:\n";

    #[test]
    fn dependencies_come_first_and_once() {
        let order = load_order(
            DEP,
            "kernel/drivers/virtio/virtio_pci.ko\n",
            &["virtio_pci", "virtio_blk", "ext4", "jbd2"],
        );
        let names: Vec<String> = order.unwrap().iter().map(|path| module_name(path)).collect();
        assert_eq!(names, ["virtio_ring", "virtio_blk", "crc16", "jbd2", "ext4"]);
    }

    #[test]
    fn a_module_the_kernel_lacks_is_named() {
        let error = load_order(DEP, "", &["virtio_pci"]).unwrap_err();
        assert!(error.to_string().contains("virtio_pci"));
    }
}
