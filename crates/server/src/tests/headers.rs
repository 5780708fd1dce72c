use super::bench::{FakeDesk, Say, edge, record_request, send, settings};

const ID: &str = "0192f0c1-0000-7000-8000-000000000000";

#[tokio::test]
async fn ids_are_mirrored() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let reply = send(&edge, record_request(&[("x-request-id", ID), ("x-correlation-id", "a-1")])).await;
    assert_eq!(reply.headers()["x-request-id"], ID);
    assert_eq!(reply.headers()["x-correlation-id"], "a-1");
    assert_eq!(desk.asked.lock().unwrap()[0].id.to_string(), ID);
}

#[tokio::test]
async fn a_missing_or_malformed_id_gets_one_of_ours() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    for headers in [&[][..], &[("x-request-id", "<script>")]] {
        let reply = send(&edge, record_request(headers)).await;
        let id = reply.headers()["x-request-id"].to_str().unwrap();
        assert!(tributary_model::RequestId::parse(id).is_some(), "{id}");
    }
}

#[tokio::test]
async fn odd_correlation_ids_are_dropped() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let long = "x".repeat(129);
    for odd in [long.as_str(), "a b", "caf\u{e9}", ""] {
        let reply = send(&edge, record_request(&[("x-correlation-id", odd)])).await;
        assert_eq!(reply.status(), 200);
        assert!(!reply.headers().contains_key("x-correlation-id"), "{odd}");
    }
}
