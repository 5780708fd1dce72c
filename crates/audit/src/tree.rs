//! The Merkle tree of RFC 6962 over the hashes of records: one root stands for the whole log.

mod proof;
pub(crate) mod tiles;

pub(crate) use proof::consistency;
pub(crate) use proof::is_consistent;

use sha2::{Digest as _, Sha256};

use crate::chain::Digest;

impl Digest {
    /// The root of two subtrees: a node of RFC 6962 §2.1.
    pub(crate) fn of_node(left: &Self, right: &Self) -> Self {
        let hash = Sha256::new().chain_update([1]).chain_update(left.bytes()).chain_update(right.bytes());
        Self::from_bytes(hash.finalize().into())
    }
}

/// The right edge of a tree: the whole subtrees that it is made of, biggest first. All that is needed to go on,
/// and to tell the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    peaks: Vec<Digest>,
}

/// A subtree that has become whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    /// It has 2^height leaves.
    pub(crate) height: u32,
    /// Its place among those of its height.
    pub(crate) index: u64,
    /// Its root.
    pub(crate) hash: Digest,
}

impl Edge {
    /// Leaves of the tree.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Grows by one leaf, and hands every subtree that it completes to `whole`: the leaf itself first.
    pub(crate) fn push(&mut self, leaf: Digest, whole: &mut impl FnMut(Whole)) {
        whole(Whole { height: 0, index: self.size, hash: leaf });
        let mut hash = leaf;
        let completed = self.size.trailing_ones();
        for height in 1..=completed {
            // There is one peak for each one in the size.
            let Some(left) = self.peaks.pop() else { break };
            hash = Digest::of_node(&left, &hash);
            whole(Whole { height, index: self.size >> height, hash });
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; of an empty tree, the hash of nothing.
    pub(crate) fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let smallest = peaks.next().copied().unwrap_or_else(|| Digest::of(b""));
        peaks.fold(smallest, |root, peak| Digest::of_node(peak, &root))
    }

    /// The edge of a tree of so many leaves, from its whole subtrees.
    pub(crate) fn gather<E>(
        size: u64,
        mut subtree: impl FnMut(u32, u64) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        let heights = (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1);
        let peaks = heights.map(|height| subtree(height, (size >> height) - 1)).collect::<Result<_, E>>()?;
        Ok(Self { size, peaks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 §2.1, as it stands there.
    pub(super) fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => *leaf,
            leaves => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                Digest::of_node(&by_definition(left), &by_definition(right))
            }
        }
    }

    pub(super) fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|seq| Digest::of_leaf(&seq.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves = leaves(600);
        let mut edge = Edge::default();
        assert_eq!(edge.root(), by_definition(&[]));
        for (count, leaf) in leaves.iter().enumerate() {
            edge.push(*leaf, &mut |_| {});
            let so_far = &leaves[..=count];
            assert_eq!(edge.root(), by_definition(so_far), "{count}");
            let part = |height, index: u64| {
                let from = usize::try_from(index << height).unwrap();
                Ok::<_, ()>(by_definition(&leaves[from..from + (1_usize << height)]))
            };
            assert_eq!(Edge::gather(edge.size(), part).unwrap(), edge);
        }
    }

    #[test]
    fn the_tree_of_the_published_vectors_has_its_root() {
        // The leaves and the root of the test vectors that RFC 6962's first implementation published.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut edge = Edge::default();
        for leaf in leaves {
            edge.push(Digest::of_leaf(leaf), &mut |_| {});
        }
        let published = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
        assert_eq!(edge.root().to_string(), published);
    }
}
