//! stub
/// stub
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError;
impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
