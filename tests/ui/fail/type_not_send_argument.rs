//! An argument that cannot move between threads.

#[vox::service]
pub trait Files {
    async fn open(&self, name: std::rc::Rc<String>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
