//! Streams over a socket: cut anywhere, lost and resumed, refused.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary_model::{NhsNumber, Redacted};

use super::*;
use crate::{AllergyLabel, Options, Retries, Terms, Token};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";
const PATIENT: &str =
    "id: 1\nevent: patient\ndata: {\"nhsNumber\":\"999 000 0107\",\"name\":\"ASHWORTH, George\"}\n\n";
const CHECKING: &str = "id: 2\nevent: status\ndata: {\"id\":\"gp\",\"name\":\"Riverside\",\"status\":\"checking\",\"pending\":true}\n\n";
const ALLERGIES: &str = "id: 3\nevent: section\ndata: {\"section\":\"allergies\",\"title\":\"Allergies\",\"state\":\"empty\",\"notices\":[\"None\"],\ndata: \"lines\":[],\"allergyLabel\":\"No known allergies\"}\n\n";
const ANSWERED: &str = ":\n\nid: 4\nevent: status\ndata: {\"id\":\"gp\",\"name\":\"Riverside\",\"status\":\"ok\",\"words\":\"café\"}\n\n";
const END: &str = "id: 5\nevent: complete\ndata: {\"completeness\":\"complete\",\"sourcesAnswered\":1,\"sourcesExpected\":1,\"audit\":\"local-1\",\"last\":true}\n\n";

/// Plays these replies, each in its pieces and to a connection of its own; gives the requests.
async fn play(replies: Vec<Vec<Vec<u8>>>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = tokio::spawn(async move {
        let mut requests = Vec::new();
        for pieces in replies {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = String::new();
            while !request.contains("]}") {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
            requests.push(request);
            for piece in pieces {
                // Whoever has read the end may be gone.
                drop(stream.write_all(&piece).await);
                drop(stream.flush().await);
                tokio::task::yield_now().await;
            }
        }
        requests
    });
    (address, requests)
}

/// A reply in pieces of so many bytes.
fn cut(parts: &[&str], bytes: usize) -> Vec<Vec<u8>> {
    parts.concat().into_bytes().chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// At once: a pause of a stream is told by its server.
const AT_ONCE: &str = "retry: 0\n\n";

fn query() -> Query {
    Query::of(NhsNumber::parse("9990000107").unwrap())
}

async fn open(address: &str, options: Options, query: &Query) -> Result<RecordStream, ClientError> {
    Client::with(address, options).unwrap().stream(query).await
}

async fn played(
    replies: Vec<Vec<Vec<u8>>>,
) -> (Vec<Result<Update, ClientError>>, GrowingRecord, Vec<String>) {
    let (address, requests) = play(replies).await;
    let mut stream = open(&address, Options::default(), &query()).await.unwrap();
    let mut updates = Vec::new();
    while let Some(update) = stream.next().await {
        updates.push(update);
    }
    assert!(stream.next().await.is_none(), "after the end nothing follows");
    (updates, stream.record().clone(), requests.await.unwrap())
}

#[tokio::test]
async fn a_stream_is_followed_to_its_end() {
    let reply = cut(
        &[HEAD, PATIENT, CHECKING, ALLERGIES, ANSWERED, END, "id: 6\nevent: patient\ndata: broken\n\n"],
        4_096,
    );
    let (updates, record, requests) = played(vec![reply]).await;
    let gp = || "gp".to_owned();
    let expected = [
        Update::Patient,
        Update::Source(gp()),
        Update::Section("allergies".to_owned()),
        Update::Source(gp()),
        Update::Complete,
    ];
    assert_eq!(updates.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
    assert_eq!(record.allergy_label(), AllergyLabel::Final("No known allergies"));
    let request = requests[0].to_lowercase();
    assert!(
        request.contains("accept: text/event-stream\r\n") && !request.contains("last-event-id"),
        "{request}"
    );
}

#[tokio::test]
async fn the_label_is_checking_until_the_end() {
    let (address, _requests) =
        play(vec![cut(&[HEAD, PATIENT, CHECKING, ALLERGIES, ANSWERED, END], 4_096)]).await;
    let mut stream = open(&address, Options::default(), &query()).await.unwrap();
    while let Some(update) = stream.next().await {
        let is_end = update.unwrap() == Update::Complete;
        assert_eq!(stream.record().allergy_label() == AllergyLabel::Checking, !is_end);
    }
}

#[tokio::test]
async fn a_lost_stream_is_resumed_where_it_stopped() {
    // Half an event is lost, and told again whole; one that was told before is not taken twice.
    let first = cut(&[HEAD, AT_ONCE, PATIENT, CHECKING, "id: 3\nevent: section\ndata: {\"sec"], 4_096);
    let second = cut(&[HEAD, CHECKING, ALLERGIES, ANSWERED, END], 4_096);
    let (updates, record, requests) = played(vec![first, second]).await;
    let updates: Vec<_> = updates.into_iter().map(Result::unwrap).collect();
    assert_eq!(updates.iter().filter(|one| **one == Update::Interrupted).count(), 1, "{updates:?}");
    assert_eq!(updates.iter().filter(|one| matches!(one, Update::Source(_))).count(), 2, "{updates:?}");
    assert_eq!(record.allergy_label(), AllergyLabel::Final("No known allergies"));
    assert!(requests[1].to_lowercase().contains("last-event-id: 2\r\n"), "{}", requests[1]);
}

#[tokio::test]
async fn a_stream_that_begins_anew_forgets_what_it_said() {
    let stranger = CHECKING.replace("\"gp\"", "\"walkin\"");
    let first = cut(&[HEAD, AT_ONCE, PATIENT, &stranger], 4_096);
    let second = cut(&[HEAD, PATIENT, CHECKING, ALLERGIES, ANSWERED, END], 4_096);
    let (updates, record, _) = played(vec![first, second]).await;
    assert_eq!(updates.last(), Some(&Ok(Update::Complete)));
    assert_eq!(record.sources().len(), 1, "what only the first node expected is not waited for");
    assert!(record.is_settled());
}

#[tokio::test]
async fn what_cannot_be_resumed_is_broken_off_and_unsettled() {
    async fn check(reply: Vec<Vec<u8>>, options: Options, query: Query) {
        let (address, requests) = play(vec![reply]).await;
        let mut stream = open(&address, options, &query).await.unwrap();
        let mut last = None;
        while let Some(update) = stream.next().await {
            last = Some(update);
        }
        assert_eq!(last, Some(Err(ClientError::BrokenOff)));
        assert_eq!(stream.record().allergy_label(), AllergyLabel::Checking);
        assert_eq!(requests.await.unwrap().len(), 1);
    }
    let half = || cut(&[HEAD, AT_ONCE, PATIENT, CHECKING, ALLERGIES], 4_096);
    let none = Options::default;
    check(half(), Options { retries: Retries { most: 0, per: 1 }, ..none() }, query()).await;
    let spent = Options { token: Token::Fixed(Redacted::new("t".to_owned())), ..none() };
    check(half(), spent, query()).await;
    let counted = Terms { break_glass: Some(Redacted::new("reason".to_owned())), ..Terms::default() };
    check(half(), none(), Query { terms: counted, ..query() }).await;
    // Without ids nobody can say where it stopped.
    check(cut(&[HEAD, AT_ONCE, "event: patient\ndata: {\"nhsNumber\":\"\"}\n\n"], 4_096), none(), query())
        .await;
}

#[tokio::test]
async fn a_broker_that_is_gone_is_tried_no_more_often_than_allowed() {
    let (address, requests) = play(vec![cut(&[HEAD, AT_ONCE, PATIENT], 4_096)]).await;
    let options = Options { retries: Retries { most: 3, per: 100 }, ..Options::default() };
    let mut stream = open(&address, options, &query()).await.unwrap();
    let mut last = None;
    while let Some(update) = stream.next().await {
        last = Some(update);
    }
    assert_eq!(last, Some(Err(ClientError::BrokenOff)));
    drop(requests);
}

#[tokio::test]
async fn a_refusal_is_told_and_another_answer_is_none() {
    let refused = "HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, _requests) = play(vec![cut(&[refused], 4_096)]).await;
    let error = open(&address, Options::default(), &query()).await.unwrap_err();
    let ClientError::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.status, 406);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
    let (address, _requests) = play(vec![cut(&[page], 4_096)]).await;
    let error = open(&address, Options::default(), &query()).await.unwrap_err();
    assert_eq!(error, ClientError::Unreadable(FaultClass::MediaType));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_ends_the_stream() {
    let broken = "id: 3\nevent: section\ndata: {\"section\":\n\n";
    let (updates, record, _) =
        played(vec![cut(&[HEAD, PATIENT, CHECKING, broken, ANSWERED, END], 4_096)]).await;
    assert!(matches!(updates.last(), Some(Err(ClientError::Unreadable(_)))), "{updates:?}");
    assert!(!record.is_settled());
}

#[tokio::test]
async fn who_answers_late_is_told_of_before_the_end() {
    let in_time = END.replace("true", "false");
    let late = "id: 6\nevent: late\ndata: {\"id\":\"gp\",\"status\":\"ok\"}\n\n";
    let end = END.replace("id: 5", "id: 7");
    let timeout = ANSWERED.replace("\"ok\"", "\"timeout\"");
    let reply = cut(&[HEAD, PATIENT, CHECKING, &timeout, &in_time, late, &end], 4_096);
    let (updates, record, _) = played(vec![reply]).await;
    let updates: Vec<_> = updates.into_iter().map(Result::unwrap).collect();
    assert_eq!(updates[3..], [Update::Complete, Update::Late("gp".to_owned()), Update::Complete]);
    assert!(record.sources()[0].is_late && record.is_settled());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn over_a_socket_too_it_does_not_matter_where_it_is_cut(bytes in 1..97_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = [cut(&[HEAD], 4_096), cut(&[PATIENT, CHECKING, ALLERGIES, ANSWERED, END], bytes)].concat();
        let (updates, record, _) = runtime.block_on(played(vec![reply]));
        prop_assert_eq!(updates.len(), 5);
        prop_assert_eq!(record.sources()[0].row.words.as_str(), "café");
        prop_assert!(record.is_settled());
    }
}
