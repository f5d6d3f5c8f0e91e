//! Who is behind an interface: Pod identity from OVSDB `external_ids`, for every platform we know.
//!
//! Must not depend on: datapaths, time.

use std::net::IpAddr;

use crate::vocabulary::event::Map;
use crate::vocabulary::id::Mac;

/// What OVSDB says of the workload behind an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Namespace and name of the Pod (or `vm` and its id under OpenStack).
    pub pod: Option<(String, String)>,
    /// The workload's own Ethernet address.
    pub mac: Option<Mac>,
    /// The workload's addresses.
    pub ips: Vec<IpAddr>,
    /// The logical network of the interface, where it is not the default one.
    pub network: Option<String>,
}

/// Reads the identity from a Port's and its Interface's `external_ids`.
pub fn identify(port: &Map, interface: &Map) -> Identity {
    [
        antrea(port),
        kube_ovn(interface),
        openstack(interface),
        ovn_kubernetes(interface),
    ]
    .into_iter()
    .flatten()
    .next()
    .unwrap_or_default()
}

/// Antrea keeps it on the **Port** row (`pkg/agent/cniserver/pod_configuration.go`).
fn antrea(port: &Map) -> Option<Identity> {
    let pod = (port.get("pod-namespace")?.clone(), port.get("pod-name")?.clone());
    Some(Identity {
        pod: Some(pod),
        mac: mac(port, "attached-mac"),
        ips: addresses(port, "ip-address"),
        network: None,
    })
}

/// Kube-OVN: `pod_namespace`, `pod_name`, `ip` (`pkg/daemon/ovs_linux.go`); it writes no MAC.
fn kube_ovn(interface: &Map) -> Option<Identity> {
    let pod = (
        interface.get("pod_namespace")?.clone(),
        interface.get("pod_name")?.clone(),
    );
    Some(Identity {
        pod: Some(pod),
        mac: mac(interface, "mac"),
        ips: addresses(interface, "ip"),
        network: None,
    })
}

/// OpenStack: os-vif and libvirt write `vm-uuid` or `vm-id` beside `iface-id` (the Neutron port).
fn openstack(interface: &Map) -> Option<Identity> {
    let vm = interface
        .get("vm-uuid")
        .or_else(|| interface.get("vm-id"))?
        .clone();
    Some(Identity {
        pod: Some(("vm".to_owned(), vm)),
        mac: mac(interface, "attached-mac"),
        ips: Vec::new(),
        network: None,
    })
}

/// OVN-Kubernetes: `iface-id` is `<namespace>_<pod>` (go-controller/pkg/util, `composePortName`); a namespace
/// holds no underscore, so the first one separates. On a secondary network it is `<network>_<namespace>_<pod>`
/// (`GetSecondaryNetworkLogicalPortName`), beside `k8s.ovn.org/nad` and `k8s.ovn.org/network`.
fn ovn_kubernetes(interface: &Map) -> Option<Identity> {
    // `sandbox` is written by its CNI alone: a plain OVN `iface-id` may hold an underscore by chance.
    interface
        .get("sandbox")
        .or_else(|| interface.get("iface-id-ver"))?;
    let mut id = interface.get("iface-id")?.as_str();
    let nad = interface.get("k8s.ovn.org/nad").filter(|nad| *nad != "default");
    let network = interface.get("k8s.ovn.org/network").or(nad);
    let network = network.filter(|network| nad.is_some() && *network != "default");
    if network.is_some() {
        id = id.split_once('_')?.1;
    }
    let (namespace, name) = id.split_once('_')?;
    let pod = (namespace.to_owned(), name.to_owned());
    Some(Identity {
        pod: Some(pod),
        mac: mac(interface, "attached_mac"),
        ips: addresses(interface, "ip_addresses"),
        network: network.cloned(),
    })
}

fn mac(ids: &Map, key: &str) -> Option<Mac> {
    ids.get(key)?.to_ascii_lowercase().parse().ok()
}

/// A list of addresses separated by commas or blanks, each with or without a prefix length.
fn addresses(ids: &Map, key: &str) -> Vec<IpAddr> {
    let Some(text) = ids.get(key) else {
        return Vec::new();
    };
    text.split([',', ' '])
        .filter_map(|address| address.split('/').next().unwrap_or(address).trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(pairs: &[(&str, &str)]) -> Map {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[track_caller]
    fn check(port: &[(&str, &str)], interface: &[(&str, &str)], pod: Option<(&str, &str)>, ips: &[&str]) {
        let found = identify(&ids(port), &ids(interface));
        assert_eq!(
            found
                .pod
                .as_ref()
                .map(|(namespace, name)| (namespace.as_str(), name.as_str())),
            pod
        );
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(found.ips, ips);
    }

    #[test]
    fn antrea_on_the_port() {
        let port = [
            ("pod-namespace", "default"),
            ("pod-name", "web-1"),
            ("ip-address", "10.0.0.2,fd00::2"),
            ("attached-mac", "02:00:00:00:00:02"),
        ];
        check(&port, &[], Some(("default", "web-1")), &["10.0.0.2", "fd00::2"]);
        assert_eq!(
            identify(&ids(&port), &Map::new()).mac,
            Some(Mac([2, 0, 0, 0, 0, 2]))
        );
        check(&[("antrea-type", "gateway")], &[], None, &[]);
    }

    #[test]
    fn ovn_kubernetes_on_the_interface() {
        let interface = [
            ("iface-id", "shop_cart-0_x"),
            ("sandbox", "abc"),
            ("ip_addresses", "10.244.0.5/24"),
            ("attached_mac", "0A:58:0a:f4:00:05"),
        ];
        check(&[], &interface, Some(("shop", "cart-0_x")), &["10.244.0.5"]);
        check(&[], &[("iface-id", "lsp_1")], None, &[]);
    }

    #[test]
    fn a_secondary_network_of_ovn_kubernetes_is_named_apart() {
        let interface = [
            ("iface-id", "shop.blue_shop_cart-0"),
            ("sandbox", "abc"),
            ("k8s.ovn.org/nad", "shop/blue"),
            ("k8s.ovn.org/network", "blue"),
        ];
        check(&[], &interface, Some(("shop", "cart-0")), &[]);
        assert_eq!(
            identify(&Map::new(), &ids(&interface)).network.as_deref(),
            Some("blue")
        );
    }

    #[test]
    fn kube_ovn_on_the_interface() {
        let interface = [
            ("iface-id", "cart-0.shop"),
            ("pod_name", "cart-0"),
            ("pod_namespace", "shop"),
            ("ip", "10.16.0.9"),
        ];
        check(&[], &interface, Some(("shop", "cart-0")), &["10.16.0.9"]);
    }

    #[test]
    fn openstack_on_the_interface() {
        let interface = [
            ("iface-id", "6f5b"),
            ("vm-uuid", "77aa"),
            ("attached-mac", "fa:16:3e:00:00:01"),
        ];
        check(&[], &interface, Some(("vm", "77aa")), &[]);
    }
}
