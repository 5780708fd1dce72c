//! The reader against the rules, and against every way to cut a stream into pieces.

use proptest::prelude::*;

use super::*;

const MOST: usize = 1 << 16;

fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, ClientError> {
    let mut reader = EventReader::new(MOST);
    let mut events = VecDeque::new();
    for piece in pieces {
        reader.push(piece, &mut events)?;
    }
    Ok(events.into())
}

fn event(name: &str, data: &str, id: &str) -> Event {
    Event { name: name.to_owned(), data: data.to_owned(), id: id.to_owned() }
}

#[track_caller]
fn check(text: &str, expected: &[Event]) {
    let found = read(&[text.as_bytes()]).unwrap();
    let told = |events: &[Event]| {
        events.iter().map(|one| format!("{}|{}|{}", one.name, one.data, one.id)).collect::<Vec<_>>()
    };
    assert_eq!(told(&found), told(expected), "{text:?}");
}

#[test]
fn lines_are_read_as_the_standard_says() {
    check("data: a\n\n", &[event("message", "a", "")]);
    check("data:a\ndata:\ndata: b\n\n", &[event("message", "a\n\nb", "")]);
    check("data:  two blanks\n\n", &[event("message", " two blanks", "")]);
    check("event: status\r\nid: 7\r\ndata: {}\r\n\r\n", &[event("status", "{}", "7")]);
    check("event: status\rid: 7\rdata: {}\r\r", &[event("status", "{}", "7")]);
    check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[event("message", "a", "")]);
    check("data\n\n", &[event("message", "", "")]);
}

#[test]
fn comments_unknown_fields_and_the_unfinished_are_no_events() {
    check(":\n\n: keep-alive\n\n", &[]);
    check("colour: red\ndata: a\n\n", &[event("message", "a", "")]);
    check("event: patient\n\ndata: a\n\n", &[event("message", "a", "")]);
    check("data: never ends\n", &[]);
    check("data: never ends", &[]);
}

#[test]
fn ids_stay_until_another_comes() {
    check(
        "id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid: x\0y\ndata: d\n\nid\ndata: e\n\n",
        &[
            event("message", "a", "1"),
            event("message", "b", "1"),
            event("message", "c", "2"),
            event("message", "d", "2"),
            event("message", "e", ""),
        ],
    );
}

#[test]
fn what_is_no_utf8_is_refused_and_not_mended() {
    let found = read(&[b"data: caf\xe9\n\n"]);
    assert_eq!(found.unwrap_err(), ClientError::Unreadable(FaultClass::Utf8));
}

#[test]
fn an_event_without_end_is_refused() {
    let piece = vec![b'x'; 1_000];
    let one_line: Vec<&[u8]> = vec![&piece; 70];
    assert_eq!(read(&one_line).unwrap_err(), ClientError::TooLarge);
    let line = [b"data:", piece.as_slice(), b"\n"].concat();
    let many_lines: Vec<&[u8]> = vec![&line; 70];
    assert_eq!(read(&many_lines).unwrap_err(), ClientError::TooLarge);
    let mut events: Vec<&[u8]> = Vec::new();
    (0..70).for_each(|_| events.extend([line.as_slice(), b"\n"]));
    assert_eq!(read(&events).unwrap().len(), 70, "the limit is one event's, not the stream's");
}

#[test]
fn a_new_connection_begins_anew() {
    let mut reader = EventReader::new(MOST);
    let mut events = VecDeque::new();
    reader.push(b"retry: 900\nid: 4\ndata: a\n\nevent: section\ndata: half", &mut events).unwrap();
    reader.begin_again();
    reader.push(b"data: b\n\n", &mut events).unwrap();
    assert_eq!(reader.pause_ms, Some(900));
    assert!(events == [event("message", "a", "4"), event("message", "b", "")]);
}

/// The same rules over a whole text at once, written as the standard is.
fn plainly(text: &str) -> Vec<Event> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    // What stands after the last line end is no line.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let (mut events, mut last_id) = (Vec::new(), String::new());
    let (mut name, mut data) = (String::new(), None::<Vec<String>>);
    for line in whole.split('\n') {
        if line.is_empty() {
            if let Some(lines) = data.take() {
                let name = if name.is_empty() { "message" } else { &name };
                events.push(event(name, &lines.join("\n"), &last_id));
            }
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "event" => name = value,
            "data" => data.get_or_insert_default().push(value),
            "id" if !value.contains('\0') => last_id = value,
            _ => {}
        }
    }
    events
}

/// Texts made of the pieces that matter, in any order.
fn texts() -> impl Strategy<Value = String> {
    let bits = prop_oneof![
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("data:"),
        Just("data: "),
        Just("event: "),
        Just("id: "),
        Just("id:7"),
        Just("retry: 5"),
        Just(":"),
        Just(" "),
        Just("{\"a\":1}"),
        Just("é→"),
        Just("\u{feff}"),
        Just("\0"),
        Just("status"),
        Just("section"),
        Just("x"),
    ];
    proptest::collection::vec(bits, 0..60).prop_map(|bits| bits.concat())
}

/// The bytes cut at these places, empty pieces among them.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[from..place]);
        from = place;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn where_a_stream_is_cut_changes_nothing(
        text in texts(),
        places in proptest::collection::vec(0..2_000_usize, 0..12),
    ) {
        let found = read(&cut(text.as_bytes(), &places)).unwrap();
        prop_assert!(found == plainly(&text), "{text:?} {places:?}");
    }

    #[test]
    fn one_byte_at_a_time_is_enough(text in texts()) {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert!(read(&pieces).unwrap() == plainly(&text), "{text:?}");
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_more_is_held_than_allowed(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..40),
    ) {
        let mut reader = EventReader::new(512);
        let mut events = VecDeque::new();
        for piece in &pieces {
            if reader.push(piece, &mut events).is_err() {
                break;
            }
            prop_assert!(reader.line.len() + reader.event.data.len() <= 512);
        }
    }
}
