//! Types that are generic over numbers.

const SIDE: usize = 3;

#[derive(Debug, Clone, facet::Facet)]
pub struct Matrix<const N: usize> {
    pub cells: [f64; N],
}

#[vox::service]
pub trait Matrices {
    async fn literal(&self, matrix: Matrix<4>) -> Matrix<2>;
    async fn constant(&self, matrix: Matrix<SIDE>) -> Result<Matrix<{ SIDE * SIDE }>, String>;
}

struct Mine;

impl Matrices for Mine {
    async fn literal(&self, _: Matrix<4>) -> Matrix<2> {
        Matrix { cells: [0.0; 2] }
    }
    async fn constant(&self, _: Matrix<3>) -> Result<Matrix<9>, String> {
        Ok(Matrix { cells: [0.0; 9] })
    }
}

fn main() {
    let _ = MatricesDispatcher::new(Mine);
    assert_eq!(MatricesClient::SERVICE.check(), Ok(()));
}
