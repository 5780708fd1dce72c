//! One layer from one function.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service};

use crate::exchange::{BoxFuture, Edge, Next, Reply};

/// A layer that does `work`: it takes the request and the rest of the onion, which takes bodies `B`.
pub(super) struct Around<B, F> {
    edge: Arc<Edge>,
    work: F,
    inner: PhantomData<fn(B)>,
}

/// Makes a layer.
pub(super) fn layer<B, F>(edge: &Arc<Edge>, work: F) -> Around<B, F> {
    Around { edge: Arc::clone(edge), work, inner: PhantomData }
}

impl<S, B, F> Layer<S> for Around<B, F>
where
    S: Service<Request<B>, Response = Reply, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    F: Clone,
{
    type Service = Layered<B, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered { edge: Arc::clone(&self.edge), work: self.work.clone(), next: Next::new(inner) }
    }
}

/// A layer with its inside.
pub(super) struct Layered<B, F> {
    edge: Arc<Edge>,
    work: F,
    next: Next<B>,
}

impl<B, F: Clone> Clone for Layered<B, F> {
    fn clone(&self) -> Self {
        Self { edge: Arc::clone(&self.edge), work: self.work.clone(), next: self.next.clone() }
    }
}

impl<A, B, F, Fut> Service<Request<A>> for Layered<B, F>
where
    F: Fn(Arc<Edge>, Request<A>, Next<B>) -> Fut,
    Fut: Future<Output = Reply> + Send + 'static,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inside is driven to readiness by each call on its own clone.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let reply = (self.work)(Arc::clone(&self.edge), request, self.next.clone());
        Box::pin(async move { Ok(reply.await) })
    }
}
