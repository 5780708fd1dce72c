use super::*;

use std::net::{Ipv4Addr, TcpListener};

use tokio::time::timeout;

/// An address that lets packets disappear: its queue of connections is full and nobody takes any.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) async fn at(ip: Ipv4Addr, port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((ip, port).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        // Until one is left waiting: the queue is full then.
        while let Ok(connected) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            queue.push(connected.unwrap());
        }
        Self { address, _listener: listener, _queue: queue }
    }
}

const fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

fn listener(ip: Ipv4Addr, port: u16) -> TcpListener {
    TcpListener::bind((ip, port)).unwrap()
}

#[test]
fn the_families_take_turns() {
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let [one, two, three] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"].map(address);
    let [six, sixth] = ["[2a00::1]:1", "[2a00::2]:1"].map(address);
    let order = |given: &[SocketAddr]| interleaved(given).collect::<Vec<_>>();
    assert_eq!(order(&[six, sixth, one, two, three]), [six, one, sixth, two, three]);
    assert_eq!(order(&[one, two, three, six]), [one, six, two, three]);
    assert_eq!(order(&[one, two]), [one, two]);
    assert_eq!(order(&[]), []);
}

#[tokio::test]
async fn a_refused_address_costs_no_time() {
    let good = listener(host(1), 0);
    let port = good.local_addr().unwrap().port();
    let refused = SocketAddr::from((host(3), port));
    let begun = Instant::now();
    let stream = connect(&[refused, good.local_addr().unwrap()]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    assert!(begun.elapsed() < NEXT_AFTER);
}

#[tokio::test]
async fn a_silent_address_costs_a_quarter_of_a_second() {
    let good = listener(host(1), 0);
    let hole = BlackHole::at(host(2), good.local_addr().unwrap().port()).await;
    let begun = Instant::now();
    let stream = connect(&[hole.address, good.local_addr().unwrap()]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    assert!(begun.elapsed() >= NEXT_AFTER);
}

#[tokio::test]
async fn when_all_refuse_the_refusal_is_told() {
    let port = listener(host(1), 0).local_addr().unwrap().port();
    let nobody = [SocketAddr::from((host(1), port)), SocketAddr::from((host(3), port))];
    assert_eq!(connect(&nobody).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(connect(&[]).await.is_err());
}

#[tokio::test]
async fn what_is_sent_is_not_held_back() {
    let good = listener(host(1), 0);
    let stream = connect(&[good.local_addr().unwrap()]).await.unwrap();
    assert!(stream.nodelay().unwrap());
    let options = SockRef::from(&stream);
    assert!(options.keepalive().unwrap());
    // The system counts its own overhead as well, and doubles what it is told.
    assert!(options.recv_buffer_size().unwrap() <= 2 * (256 << 10));
    #[cfg(target_os = "linux")]
    assert_eq!(options.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
}
