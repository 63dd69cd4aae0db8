//! A test of code that calls a service: no socket, no port, no wait.

use std::time::Duration;

use vox::VoxError;

#[vox::service]
trait Weather {
    async fn degrees(&self, town: &str) -> Result<i32, String>;
    async fn history(&self) -> u64;
}

/// What is tested: it calls the service.
async fn coat(weather: &WeatherClient, town: &str) -> Result<bool, VoxError<String>> {
    Ok(weather.degrees(town).await? < 10)
}

struct Cold;

impl Weather for Cold {
    async fn degrees(&self, town: &str) -> Result<i32, String> {
        if town == "Oslo" { Ok(-7) } else { Err(format!("no town {town}")) }
    }
    async fn history(&self) -> u64 {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        1
    }
}

#[tokio::test]
async fn a_coat_is_worn_in_the_cold() {
    let weather = WeatherClient::over_memory(Cold).await.expect("the service can be served");
    assert_eq!(coat(&weather, "Oslo").await, Ok(true));
    assert_eq!(coat(&weather, "Ur").await, Err(VoxError::User("no town Ur".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_hour_takes_no_time() {
    let weather = WeatherClient::over_memory(Cold).await.expect("the service can be served");
    let error = weather.history().timeout(Duration::from_secs(60)).await;
    assert_eq!(error, Err(VoxError::DeadlineExceeded));
}
