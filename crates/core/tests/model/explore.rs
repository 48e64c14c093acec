//! Breadth-first exploration: every node that can be reached, the shortest path to it, and from
//! where what can be reached; or a part of them, drawn by a seed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};

use bluegreen_core::machine::Kind;
use bluegreen_core::plan::Goal;

use super::driver::{Config, Model};
use super::journal::Pc;
use super::node::{By, Next, Node};
use super::properties;
use super::stage::{Stage, Terms};
use super::world::Label;
use bluegreen_testing::sample::random;

/// What an exploration found.
pub struct Explored {
    pub nodes: usize,
    pub edges: usize,
    pub violation: Option<Violation>,
    pub transitions: BTreeMap<(Kind, Kind), Transition>,
}

/// A property that does not hold, with the shortest path there.
pub struct Violation {
    pub property: &'static str,
    pub trace: String,
}

/// How a transition between two kinds of state came about.
#[derive(Clone, Debug, Default)]
pub struct Transition {
    /// The machine's own step, while nobody acted at the console.
    pub alone: bool,
    /// The machine's own step, after somebody acted at the console.
    pub after_console: bool,
    /// Operators' orders.
    pub orders: Vec<&'static str>,
}

struct Graph {
    ids: HashMap<Node, u32, BuildHasherDefault<Folding>>,
    nodes: Vec<Node>,
    /// The node from which each was reached first.
    parents: Vec<u32>,
    edges: Vec<Edge>,
    /// The nodes that the exploration did not follow any further.
    unfollowed: VecDeque<u32>,
}

#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
    /// Whether it needs nobody's order and no fault.
    by_itself: bool,
    by_operator: bool,
}

/// How much of a model is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// So many nodes, each drawn from those that were found until then.
    Part(usize),
}

/// Explores as much as this, or up to the first violation.
pub fn explore(model: &Model, extent: Extent) -> Explored {
    explore_for(model, extent, |_| true)
}

/// Explores as much as this, or up to the first violation of a property that counts.
pub fn explore_for(model: &Model, extent: Extent, counts: impl Fn(&str) -> bool) -> Explored {
    let mut graph = Graph {
        ids: HashMap::default(),
        nodes: Vec::new(),
        parents: Vec::new(),
        edges: Vec::new(),
        unfollowed: VecDeque::new(),
    };
    let mut transitions = BTreeMap::new();
    let Config {
        strategy,
        pause,
        resizes,
        follows,
        ..
    } = model.config;
    let terms = Terms::new(strategy, pause, resizes, follows);
    graph.add(Node::root(terms), 0);
    let mut violation = None;
    let mut found = VecDeque::from([0_u32]);
    let (mut random, mut followed) = (random(), 0);
    let mut next = Vec::new();
    while violation.is_none() {
        let taken = match extent {
            Extent::Whole => found.pop_front(),
            Extent::Part(nodes) if followed == nodes || found.is_empty() => None,
            Extent::Part(_) => found.swap_remove_back(random.usize(..found.len())),
        };
        let Some(from) = taken else {
            break;
        };
        followed += 1;
        let node = graph.nodes[from as usize];
        next.clear();
        model.next(&node, &mut next);
        for Next { what, by, node: to } in &next {
            note(&mut transitions, &node, to, what, *by);
            let (id, is_new) = graph.add(*to, from);
            graph.edges.push(Edge {
                from,
                to: id,
                by_itself: matches!(by, By::Driver | By::World),
                by_operator: *by == By::Operator,
            });
            if !is_new {
                continue;
            }
            found.push_back(id);
            if violation.is_none()
                && let Some(property) = properties::broken(to)
                && counts(property)
            {
                violation = Some(graph.violation(model, property, id));
            }
        }
    }
    graph.unfollowed = found;
    if violation.is_none() {
        violation = ways_out(model, &graph);
    }
    Explored {
        nodes: graph.nodes.len(),
        edges: graph.edges.len(),
        violation,
        transitions,
    }
}

fn note(
    transitions: &mut BTreeMap<(Kind, Kind), Transition>,
    from: &Node,
    to: &Node,
    what: &'static str,
    by: By,
) {
    if from.journal.stage == to.journal.stage {
        return;
    }
    let kinds = (from.journal.stage.kind, to.journal.stage.kind);
    let transition = transitions.entry(kinds).or_default();
    match by {
        By::Operator if transition.orders.contains(&what) => {}
        By::Operator => transition.orders.push(what),
        _ if from.console => transition.after_console = true,
        _ => transition.alone = true,
    }
}

/// The properties that speak of what can still be reached.
fn ways_out(model: &Model, graph: &Graph) -> Option<Violation> {
    let rests = |node: &Node| node.pc == Pc::Top && node.journal.stage.awaits_operator();
    let ends = |node: &Node| node.journal.stage.is_end();
    let stuck = |node: &Node| {
        let stuck = |stage: Stage| stage.kind == Kind::Stuck;
        stuck(node.journal.stage) || matches!(node.pc, Pc::Enter(stage) if stuck(stage))
    };
    // The way back needed a new green and did not get one, or one whose launch has failed.
    let gives_up = |node: &Node| {
        let launch_failed = node.world.view.launch_failed;
        let discards = |stage: Stage| match stage.kind {
            Kind::Discarding => true,
            Kind::Cloning | Kind::Warming => launch_failed,
            _ => false,
        };
        (discards(node.journal.stage) || matches!(node.pc, Pc::Enter(stage) if discards(stage)))
            && node.journal.terms.goal == Goal::Previous
            && node.world.view.blue.label != Label::Previous
    };
    let good = |node: &Node| ends(node) && node.journal.stage.kind != Kind::Stuck;
    let to_rest = graph.reaching(|node| ends(node) || rests(node), |edge| edge.by_itself);
    let to_end = graph.reaching(ends, |edge| edge.by_itself || edge.by_operator);
    let to_good = graph.reaching(good, |edge| edge.by_itself || edge.by_operator);
    let find = |property, fails: &dyn Fn(usize, &Node) -> bool| {
        let (nth, _) = graph
            .nodes
            .iter()
            .enumerate()
            .find(|(nth, node)| fails(*nth, node))?;
        let id = u32::try_from(nth).expect("the model stays small");
        Some(graph.violation(model, property, id))
    };
    find(properties::COMES_TO_REST, &|nth, _| !to_rest[nth])
        .or_else(|| find(properties::REACHES_AN_END, &|nth, _| !to_end[nth]))
        .or_else(|| {
            find(properties::REACHES_A_GOOD_END, &|nth, node| {
                !to_good[nth] && !node.console && !stuck(node) && !gives_up(node)
            })
        })
}

impl Graph {
    fn add(&mut self, node: Node, parent: u32) -> (u32, bool) {
        let new = u32::try_from(self.nodes.len()).expect("the model stays small");
        let id = *self.ids.entry(node).or_insert(new);
        if id == new {
            self.nodes.push(node);
            self.parents.push(parent);
        }
        (id, id == new)
    }

    /// From which nodes one of the targets can be reached along these edges. A node that the
    /// exploration did not follow any further may lead anywhere, and counts as a target.
    fn reaching(&self, target: impl Fn(&Node) -> bool, edge: impl Fn(&Edge) -> bool) -> Vec<bool> {
        let count = self.nodes.len();
        let mut starts = vec![0_u32; count + 1];
        let along: Vec<&Edge> = self.edges.iter().filter(|e| edge(e)).collect();
        for edge in &along {
            starts[edge.to as usize + 1] += 1;
        }
        for nth in 0..count {
            starts[nth + 1] += starts[nth];
        }
        let mut free = starts.clone();
        let mut sources = vec![0_u32; along.len()];
        for edge in &along {
            let slot = &mut free[edge.to as usize];
            sources[*slot as usize] = edge.from;
            *slot += 1;
        }
        let mut reaches: Vec<bool> = self.nodes.iter().map(target).collect();
        for unfollowed in &self.unfollowed {
            reaches[*unfollowed as usize] = true;
        }
        let mut todo: Vec<usize> = (0..count).filter(|nth| reaches[*nth]).collect();
        while let Some(to) = todo.pop() {
            for source in &sources[starts[to] as usize..starts[to + 1] as usize] {
                let source = *source as usize;
                if !reaches[source] {
                    reaches[source] = true;
                    todo.push(source);
                }
            }
        }
        reaches
    }

    fn violation(&self, model: &Model, property: &'static str, id: u32) -> Violation {
        let mut way = vec![id];
        let mut at = id;
        while at != 0 {
            at = self.parents[at as usize];
            way.push(at);
        }
        way.reverse();
        let mut trace = String::new();
        let mut next = Vec::new();
        for (nth, pair) in way.windows(2).enumerate() {
            let (from, to) = (self.nodes[pair[0] as usize], self.nodes[pair[1] as usize]);
            next.clear();
            model.next(&from, &mut next);
            let what = next.iter().find(|next| next.node == to);
            let what = what.map_or("?", |next| next.what);
            let _ = writeln!(trace, "{:3} {what}\n      {}", nth + 1, to.describe());
        }
        Violation { property, trace }
    }
}

/// A hash that is quick without optimisation: most of an exploration is hashing
/// nodes of many small fields.
#[derive(Default)]
struct Folding(u64);

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, value: u64) {
        let folded = u128::from(self.0 ^ value ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (folded >> 64) as u64 ^ folded as u64;
    }
}
