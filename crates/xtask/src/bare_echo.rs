//! The bare endpoint that the benchmark compares with.

use serde_json::Value;

/// Serves an endpoint that parses JSON and echoes it.
///
/// # Errors
/// When it can't listen.
pub fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let echo = axum::routing::post(async |axum::Json(body): axum::Json<Value>| axum::Json(body));
        axum::serve(listener, axum::Router::new().route("/failover", echo)).await?;
        Ok(())
    })
}
