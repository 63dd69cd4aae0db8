//! Names in other scripts, on the wire as they are written.

#[derive(facet::Facet)]
pub struct Größe {
    pub höhe: u64,
}

#[vox::service(rename_all = "camelCase")]
pub trait Überweisung {
    async fn größe_ändern(&self, größe: Größe, 名前: &str) -> u64;
}

struct Bank;

impl Überweisung for Bank {
    async fn größe_ändern(&self, größe: Größe, 名前: &str) -> u64 {
        größe.höhe + 名前.len() as u64
    }
}

fn main() {
    let _ = ÜberweisungDispatcher::new(Bank);
    let service = ÜberweisungClient::SERVICE;
    assert_eq!((service.name, service.methods[0].name), ("Überweisung", "größeÄndern"));
    assert_eq!(service.methods[0].args[1].name, "名前");
}
