//! The cheapest way to give rows to columns, over all of them at once, and how much dearer the next best is.
//!
//! Each connected group of rows and columns is solved by itself, exactly (the Hungarian method). A group too large for
//! that takes the cheapest pair first, which is the same wherever no two pairs compete.

use std::collections::BTreeMap;

/// A row may take a column at this cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    /// The cost, not negative.
    pub cost: i64,
    /// The column.
    pub column: usize,
    /// The row.
    pub row: usize,
}

/// What a row was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given {
    /// The column.
    pub column: usize,
    /// By how much the whole becomes dearer if the row may not have it.
    pub margin: i64,
}

/// Rows and places of columns of a group that is solved exactly, multiplied.
const LARGEST: usize = 40_000;

/// Worse than any sum of costs.
const NEVER: i64 = 1 << 52;

/// Gives rows to columns so that the sum of the costs is least, where a row that is given none costs `alone`, and
/// a column takes `places(column)` rows. Deterministic; the order of `edges` does not matter.
pub(super) fn assign(
    mut edges: Vec<Edge>,
    places: &dyn Fn(usize) -> usize,
    alone: i64,
) -> BTreeMap<usize, Given> {
    edges.retain(|edge| edge.cost < alone && places(edge.column) > 0);
    edges.sort_unstable();
    let mut given = BTreeMap::new();
    for group in groups(&edges) {
        let solve = if group.size(places) <= LARGEST {
            exactly
        } else {
            cheapest_first
        };
        given.extend(solve(&group, places, alone));
    }
    given
}

/// Edges that share rows and columns with each other and with no others, cheapest first.
struct Group {
    edges: Vec<Edge>,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Group {
    fn size(&self, places: &dyn Fn(usize) -> usize) -> usize {
        let places: usize = self
            .columns
            .iter()
            .map(|&column| places(column).min(self.rows.len()))
            .sum();
        self.rows.len() * (places + self.rows.len())
    }
}

fn groups(edges: &[Edge]) -> Vec<Group> {
    let mut root_of: BTreeMap<(bool, usize), (bool, usize)> = BTreeMap::new();
    fn root(of: &mut BTreeMap<(bool, usize), (bool, usize)>, start: (bool, usize)) -> (bool, usize) {
        let mut at = start;
        while let Some(&next) = of.get(&at).filter(|&&next| next != at) {
            at = next;
        }
        of.insert(start, at);
        at
    }
    for edge in edges {
        let a = root(&mut root_of, (false, edge.row));
        let b = root(&mut root_of, (true, edge.column));
        root_of.insert(a.max(b), a.min(b));
        root_of.entry(a.min(b)).or_insert(a.min(b));
    }
    let mut groups: BTreeMap<(bool, usize), Group> = BTreeMap::new();
    for &edge in edges {
        let at = root(&mut root_of, (false, edge.row));
        let group = groups.entry(at).or_insert_with(|| Group {
            edges: Vec::new(),
            rows: Vec::new(),
            columns: Vec::new(),
        });
        group.edges.push(edge);
        group.rows.push(edge.row);
        group.columns.push(edge.column);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        group.rows.sort_unstable();
        group.rows.dedup();
        group.columns.sort_unstable();
        group.columns.dedup();
    }
    groups
}

/// The stated fallback: cheapest pair first. The margin is the distance to the nearest pair that it keeps out.
fn cheapest_first(group: &Group, places: &dyn Fn(usize) -> usize, alone: i64) -> Vec<(usize, Given)> {
    let mut of_row: BTreeMap<usize, Vec<&Edge>> = BTreeMap::new();
    let mut of_column: BTreeMap<usize, Vec<&Edge>> = BTreeMap::new();
    for edge in &group.edges {
        of_row.entry(edge.row).or_default().push(edge);
        of_column.entry(edge.column).or_default().push(edge);
    }
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut given: BTreeMap<usize, Given> = BTreeMap::new();
    for edge in &group.edges {
        let is_full = |column: usize, taken: &BTreeMap<usize, usize>| {
            taken.get(&column).is_some_and(|&n| n >= places(column))
        };
        if given.contains_key(&edge.row) || is_full(edge.column, &taken) {
            continue;
        }
        let rivals = of_row[&edge.row].iter().chain(&of_column[&edge.column]);
        let open = rivals.filter(|rival| {
            ***rival != *edge
                && !given.contains_key(&rival.row)
                && !is_full(rival.column, &taken)
                && rival.cost >= edge.cost
        });
        let margin = open
            .map(|rival| rival.cost - edge.cost)
            .min()
            .unwrap_or(alone - edge.cost);
        *taken.entry(edge.column).or_default() += 1;
        given.insert(
            edge.row,
            Given {
                column: edge.column,
                margin,
            },
        );
    }
    given.into_iter().collect()
}

/// The Hungarian method with potentials, and for each row the cheapest way round its column.
fn exactly(group: &Group, places: &dyn Fn(usize) -> usize, alone: i64) -> Vec<(usize, Given)> {
    let table = Table::of(group, places, alone);
    let solved = table.solve();
    let row = |(at, &row): (usize, &usize)| {
        let place = solved.place_of[at];
        let column = table.column_of.get(place).copied()?;
        let margin = table.way_round(&solved, at);
        Some((row, Given { column, margin }))
    };
    group.rows.iter().enumerate().filter_map(row).collect()
}

/// The costs of a group: a line for each row; a place for each row that a column takes, then one for each row to
/// stay alone in.
struct Table {
    costs: Vec<Vec<i64>>,
    /// The column of each place that is one of a column's.
    column_of: Vec<usize>,
}

struct Solved {
    /// By row.
    place_of: Vec<usize>,
    /// By place.
    row_of: Vec<Option<usize>>,
    /// What each row pays more than each place asks.
    of_row: Vec<i64>,
    of_place: Vec<i64>,
}

impl Table {
    fn of(group: &Group, places: &dyn Fn(usize) -> usize, alone: i64) -> Self {
        let rows = group.rows.len();
        let of_column = |&column: &usize| std::iter::repeat_n(column, places(column).min(rows));
        let column_of: Vec<usize> = group.columns.iter().flat_map(of_column).collect();
        let mut costs = vec![vec![NEVER; column_of.len() + rows]; rows];
        for edge in &group.edges {
            let Ok(row) = group.rows.binary_search(&edge.row) else {
                continue;
            };
            let from = column_of.partition_point(|&column| column < edge.column);
            let to = column_of.partition_point(|&column| column <= edge.column);
            costs[row][from..to]
                .iter_mut()
                .for_each(|cost| *cost = (*cost).min(edge.cost));
        }
        for (row, costs) in costs.iter_mut().enumerate() {
            costs[column_of.len() + row] = alone;
        }
        Self { costs, column_of }
    }

    fn solve(&self) -> Solved {
        let places = self.costs.first().map_or(0, Vec::len);
        let mut solved = Solved {
            place_of: vec![0; self.costs.len()],
            row_of: vec![None; places],
            of_row: vec![0; self.costs.len()],
            of_place: vec![0; places],
        };
        for row in 0..self.costs.len() {
            self.add(&mut solved, row);
        }
        for (place, row) in solved.row_of.iter().enumerate() {
            if let Some(row) = row {
                solved.place_of[*row] = place;
            }
        }
        solved
    }

    /// Finds a place for one more row, moving others where that is cheapest.
    fn add(&self, solved: &mut Solved, row: usize) {
        let places = solved.row_of.len();
        let mut least = vec![i64::MAX; places];
        let mut from: Vec<Option<usize>> = vec![None; places];
        let mut seen = vec![false; places];
        let mut at: Option<usize> = None; // The place whose row looks for another; `None`: the new row.
        let last = loop {
            let looking = at.and_then(|place| solved.row_of[place]).unwrap_or(row);
            let (mut delta, mut next) = (i64::MAX, None);
            for place in (0..places).filter(|&place| !seen[place]) {
                let reduced = self.costs[looking][place] - solved.of_row[looking] - solved.of_place[place];
                if reduced < least[place] {
                    least[place] = reduced;
                    from[place] = at;
                }
                if least[place] < delta {
                    delta = least[place];
                    next = Some(place);
                }
            }
            let Some(next) = next else { return };
            solved.of_row[row] += delta;
            for place in 0..places {
                if seen[place] {
                    solved.of_place[place] -= delta;
                    if let Some(owner) = solved.row_of[place] {
                        solved.of_row[owner] += delta;
                    }
                } else if least[place] < i64::MAX {
                    least[place] -= delta;
                }
            }
            seen[next] = true;
            if solved.row_of[next].is_none() {
                break next;
            }
            at = Some(next);
        };
        let mut place = last;
        while let Some(before) = from[place] {
            solved.row_of[place] = solved.row_of[before];
            place = before;
        }
        solved.row_of[place] = Some(row);
    }

    /// What more it costs if `row` may have no place of its column.
    fn way_round(&self, solved: &Solved, row: usize) -> i64 {
        let own = solved.place_of[row];
        let column = self.column_of.get(own);
        let mut least = vec![NEVER; self.costs.len()];
        let mut done = vec![false; self.costs.len()];
        least[row] = 0;
        let mut best = NEVER;
        while let Some(at) = (0..least.len())
            .filter(|&at| !done[at])
            .min_by_key(|&at| (least[at], at))
        {
            if least[at] >= best {
                break;
            }
            done[at] = true;
            let mut to_free = NEVER;
            for place in 0..solved.row_of.len() {
                let is_own = self.column_of.get(place) == column;
                if at == row && is_own {
                    continue;
                }
                let step = self.costs[at][place] - solved.of_row[at] - solved.of_place[place];
                let sum = least[at] + step;
                match solved.row_of[place] {
                    Some(owner) if owner == row => best = best.min(sum),
                    Some(owner) => least[owner] = least[owner].min(sum),
                    None => to_free = to_free.min(sum),
                }
            }
            // Once a free place is taken, its own may stay free, or another row leaves its place for it.
            best = best.min(to_free - solved.of_place[own]);
            for (other, least) in least.iter_mut().enumerate() {
                *least = (*least).min(to_free - solved.of_place[solved.place_of[other]]);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edge(row: usize, column: usize, cost: i64) -> Edge {
        Edge { cost, column, row }
    }

    fn once(_: usize) -> usize {
        1
    }

    #[test]
    fn the_whole_is_cheapest_and_not_the_first_pair() {
        let edges = vec![edge(0, 0, 1), edge(0, 1, 2), edge(1, 0, 3), edge(1, 1, 90)];
        let given = assign(edges, &once, 100);
        assert_eq!((given[&0].column, given[&1].column), (1, 0));
        // The other way round is 91, this one 5.
        assert_eq!(given[&0].margin, 86);
    }

    #[test]
    fn two_rows_that_are_alike_have_no_margin() {
        let edges = vec![edge(0, 0, 7), edge(0, 1, 7), edge(1, 0, 7), edge(1, 1, 7)];
        assert!(assign(edges, &once, 100).values().all(|given| given.margin == 0));
    }

    #[test]
    fn a_column_with_two_places_takes_two_rows_and_a_third_stays_alone() {
        let edges = vec![edge(0, 0, 1), edge(1, 0, 2), edge(2, 0, 3)];
        let given = assign(edges, &|_| 2, 100);
        assert_eq!(given.keys().copied().collect::<Vec<_>>(), [0, 1]);
        // Without the column it would stay alone, and the third row would have its place.
        assert_eq!(given[&0].margin, 100 - 1 + 3 - 100);
    }

    /// The least sum by trying everything.
    fn least(edges: &[Edge], rows: usize, row: usize, taken: &mut Vec<usize>, alone: i64) -> i64 {
        if row == rows {
            return 0;
        }
        let mut best = alone + least(edges, rows, row + 1, taken, alone);
        for edge in edges.iter().filter(|edge| edge.row == row) {
            if !taken.contains(&edge.column) {
                taken.push(edge.column);
                best = best.min(edge.cost + least(edges, rows, row + 1, taken, alone));
                taken.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn the_sum_and_the_margins_are_those_of_trying_everything(
            costs in proptest::collection::vec(proptest::collection::vec(proptest::option::of(0i64..50), 4), 1..5)
        ) {
            let all: Vec<Edge> = costs.iter().enumerate().flat_map(|(row, costs)| {
                costs.iter().enumerate().filter_map(move |(column, cost)| Some(edge(row, column, (*cost)?)))
            }).collect();
            let alone = 40;
            let given = assign(all.clone(), &once, alone);
            let cost = |row: usize, column: usize| all.iter().find(|e| e.row == row && e.column == column).unwrap().cost;
            let sum: i64 = (0..costs.len()).map(|row| given.get(&row).map_or(alone, |one| cost(row, one.column))).sum();
            let best = least(&all, costs.len(), 0, &mut Vec::new(), alone);
            prop_assert_eq!(sum, best);
            for (&row, one) in &given {
                let without: Vec<Edge> = all.iter().copied().filter(|e| e.row != row || e.column != one.column).collect();
                let next = least(&without, costs.len(), 0, &mut Vec::new(), alone);
                prop_assert_eq!(one.margin, next - best);
            }
        }
    }

    #[test]
    fn a_group_too_large_to_be_solved_takes_the_cheapest_pair_first() {
        let edges: Vec<Edge> = (0..300)
            .flat_map(|row| (0..300).map(move |column| edge(row, column, (row as i64 - column as i64).abs())))
            .collect();
        let given = assign(edges, &once, 1_000);
        assert!(given.iter().all(|(row, given)| *row == given.column));
    }
}
