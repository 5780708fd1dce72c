use super::*;

use Priority::{Background, Interactive, Urgent};

struct Hall {
    places: Places<&'static str>,
    now: Instant,
    asks: u64,
}

impl Hall {
    fn new(most: usize) -> Self {
        let now = Instant::now();
        Self { places: Places::new(most, Chance::seeded(1), now), now, asks: 1 << 32 }
    }

    fn who(&mut self, priority: Priority, organisation: &str) -> Who {
        self.asks += 1;
        Who { ask: self.asks, priority, organisation: OdsCode::parse(organisation).unwrap() }
    }

    fn arrive(&mut self, who: &Who, name: &'static str) -> Arrival {
        let expires = self.now + Duration::from_secs(1);
        self.places.arrive(self.now, who.clone(), expires, name)
    }

    fn placed(&mut self, priority: Priority, organisation: &str) -> Who {
        let who = self.who(priority, organisation);
        assert_eq!(self.arrive(&who, "placed"), Arrival::Placed);
        who
    }

    fn waits(&mut self, priority: Priority, organisation: &str, name: &'static str) -> Who {
        let who = self.who(priority, organisation);
        assert!(matches!(self.arrive(&who, name), Arrival::Waits(_)), "{name}");
        who
    }

    /// The whole ask is over with its one request.
    fn done(&mut self, who: &Who) -> Vec<&'static str> {
        let mut told = self.places.leave(self.now, who);
        told.extend(self.places.over(self.now, who));
        told
    }
}

#[test]
fn what_matters_more_goes_first() {
    let mut hall = Hall::new(3);
    let inside: Vec<_> = (0..3).map(|_| hall.placed(Interactive, "RXX01")).collect();
    hall.waits(Interactive, "RXX01", "interactive");
    hall.waits(Urgent, "RXX01", "urgent");
    hall.waits(Background, "RYY02", "background");
    assert_eq!(hall.done(&inside[0]), ["urgent"]);
    assert_eq!(hall.done(&inside[1]), ["interactive"]);
    assert_eq!(hall.done(&inside[2]), ["background"]);
}

#[test]
fn the_organisation_with_the_fewest_places_goes_first_and_then_the_freshest() {
    let mut hall = Hall::new(5);
    let inside: Vec<_> = (0..4).map(|_| hall.placed(Interactive, "RXX01")).collect();
    hall.placed(Interactive, "RYY02");
    hall.waits(Interactive, "RZZ03", "none yet");
    hall.waits(Interactive, "RYY02", "one place, older");
    hall.waits(Interactive, "RYY02", "one place");
    hall.waits(Interactive, "RXX01", "many places");
    assert_eq!(hall.done(&inside[0]), ["none yet"]);
    assert_eq!(hall.done(&inside[1]), ["one place"]);
    // One and two by now: it is their turn.
    assert_eq!(hall.done(&inside[2]), ["many places"]);
}

#[test]
fn the_last_in_rank_makes_room_and_nobody_else() {
    let mut hall = Hall::new(2);
    let inside: Vec<_> = (0..2).map(|_| hall.placed(Interactive, "RXX01")).collect();
    hall.waits(Background, "RXX01", "background");
    hall.waits(Interactive, "RXX01", "interactive");
    hall.waits(Urgent, "RXX01", "urgent");
    assert_eq!(hall.places.waiting(), 2, "the background one is gone");
    let late = hall.who(Background, "RYY02");
    assert_eq!(hall.arrive(&late, "late"), Arrival::Refused);
    hall.waits(Interactive, "RXX01", "fresher");
    assert_eq!(hall.done(&inside[0]), ["urgent"]);
    assert_eq!(hall.done(&inside[1]), ["fresher"]);
}

/// Asks that have had a place and have none now.
fn begun(hall: &mut Hall, asks: usize) -> Vec<Who> {
    let begin = |_| {
        let who = hall.placed(Interactive, "RXX01");
        assert_eq!(hall.places.leave(hall.now, &who), Vec::<&str>::new());
        who
    };
    (0..asks).map(begin).collect()
}

#[test]
fn asks_under_way_are_finished_before_another_begins() {
    let mut hall = Hall::new(2);
    let under_way = begun(&mut hall, 4);
    // Places are free, and nobody begins in the meantime.
    hall.waits(Interactive, "RYY02", "new");
    assert_eq!(hall.arrive(&under_way[0], "again"), Arrival::Placed);
    assert_eq!(hall.arrive(&under_way[1], "again"), Arrival::Placed);
    assert!(matches!(hall.arrive(&under_way[0], "beside"), Arrival::Waits(_)));
    assert_eq!(hall.places.leave(hall.now, &under_way[1]), ["beside"]);
    assert_eq!(hall.places.over(hall.now, &under_way[1]), Vec::<&str>::new());
    assert_eq!(hall.places.leave(hall.now, &under_way[0]), ["new"]);
}

#[test]
fn nobody_urgent_waits_for_lesser_asks_to_end() {
    let mut hall = Hall::new(1);
    begun(&mut hall, 2);
    hall.waits(Interactive, "RYY02", "equal");
    hall.placed(Urgent, "RYY02");
}

#[test]
fn who_waited_too_long_is_forgotten() {
    let mut hall = Hall::new(1);
    let inside = hall.placed(Interactive, "RXX01");
    hall.waits(Interactive, "RXX01", "old");
    hall.now += Duration::from_millis(999);
    hall.waits(Interactive, "RXX01", "fresh");
    hall.now += Duration::from_millis(1);
    assert_eq!(hall.done(&inside), ["fresh"]);
    assert_eq!((hall.places.waiting(), hall.places.used()), (0, 1));
}
