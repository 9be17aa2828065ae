package bench

import (
	"cmp"
	"fmt"
	"slices"
)

// Ratio compares two arms round by round; what was measured more or less often
// than there were rounds, by its first times.
type Ratio struct {
	Of   Way    `json:"of"`
	To   Way    `json:"to"`
	What string `json:"what"`
	Spread
}

// pairs are the arms that a ratio is of: ours to what else there is, and the
// guarantees to each other.
func pairs() [][2]Way {
	return [][2]Way{
		{AtLeastOnce, Stock},
		{ExactlyOnce, Stock},
		{ExactlyOnce, AtLeastOnce},
		{ExactlyOnce, Unpositioned},
		{ExactlyOnce, Floor},
		{ExactlyOnce, StreamsEOS},
		{ExactlyOnce, StreamsEOSMemory},
		{AtLeastOnce, StreamsALO},
		{AtLeastOnce, StreamsALOMemory},
	}
}

// series is a figure of an arm, measurement after measurement.
type series struct {
	what string
	of   func(Way) []float64
}

// ratios compares the arms that are there. A figure that one of two arms does
// not have makes no ratio.
func ratios(ways []Way, m measurements) []Ratio {
	var all []Ratio
	figures := m.series()
	for _, pair := range pairs() {
		if !slices.Contains(ways, pair[0]) || !slices.Contains(ways, pair[1]) {
			continue
		}
		for _, f := range figures {
			of, to := f.of(pair[0]), f.of(pair[1])
			var values []float64
			for i := range min(len(of), len(to)) {
				if of[i] > 0 && to[i] > 0 {
					values = append(values, of[i]/to[i])
				}
			}
			if len(values) > 0 {
				all = append(all, Ratio{Of: pair[0], To: pair[1], What: f.what, Spread: spread(values)})
			}
		}
	}
	return all
}

// series are the figures that are compared.
func (m measurements) series() []series {
	all := []series{
		ofRounds("CPU per event", m.rounds, func(m Measured) float64 { return m.CPUPerEvent }),
		ofRounds("CPU per event, whole process", m.rounds, func(m Measured) float64 { return m.WholePerEvent }),
		ofRounds("events per second", m.rounds, func(m Measured) float64 { return m.EventsPerSecond }),
		ofRounds("peak RSS", m.rounds, func(m Measured) float64 { return float64(m.PeakRSS) }),
		ofRounds("start to first update", m.rounds, func(m Measured) float64 { return m.FirstSeconds }),
		ofRounds("restore, seconds", m.rounds, func(m Measured) float64 { return m.RestoreSeconds }),
		ofRounds("restore, records per second", m.rounds, func(m Measured) float64 { return m.RestoredPerSecond }),
	}
	for _, rate := range ratesOf(m.rates) {
		at := fmt.Sprintf(" at %d events per second", rate)
		all = append(all,
			ofRates("p50"+at, m.rates, rate, func(r AtRate) float64 { return r.P50 }),
			ofRates("p99"+at, m.rates, rate, func(r AtRate) float64 { return r.P99 }))
	}
	return append(all,
		ofRebalances("gap of a join", m.rebalances, func(r Rebalanced) float64 { return r.Join }),
		ofRebalances("gap of a leave", m.rebalances, func(r Rebalanced) float64 { return r.Leave }))
}

// ratesOf are the rates that were kept up, in ascending order.
func ratesOf(of []AtRate) []int {
	var rates []int
	for _, r := range of {
		if r.Rate > 0 && !slices.Contains(rates, r.Rate) {
			rates = append(rates, r.Rate)
		}
	}
	slices.Sort(rates)
	return rates
}

func ofRounds(what string, rounds [][]Measured, figure func(Measured) float64) series {
	return series{what, func(w Way) (values []float64) {
		for _, m := range collect(rounds, w) {
			values = append(values, figure(m))
		}
		return values
	}}
}

func ofRates(what string, all []AtRate, rate int, figure func(AtRate) float64) series {
	return series{what, func(w Way) (values []float64) {
		for _, r := range all {
			if r.Way == w && r.Rate == rate {
				values = append(values, figure(r))
			}
		}
		return values
	}}
}

func ofRebalances(what string, all []Rebalanced, figure func(Rebalanced) float64) series {
	return series{what, func(w Way) (values []float64) {
		for _, r := range all {
			if r.Way == w {
				values = append(values, figure(r))
			}
		}
		return values
	}}
}

// group puts together what was measured of the same arm, and at the same rate,
// in order of appearance.
func group[T any, K comparable](all []T, key func(T) K) [][]T {
	var groups [][]T
	for _, x := range all {
		i := slices.IndexFunc(groups, func(g []T) bool { return key(g[0]) == key(x) })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], x)
	}
	return groups
}

// armAt is an arm at a rate.
type armAt struct {
	way  Way
	rate int
}

// grouped are the measurements at rates, by arm and rate.
func grouped(all []AtRate) [][]AtRate {
	groups := group(all, func(r AtRate) armAt { return armAt{r.Way, r.Rate} })
	order := Ways()
	slices.SortStableFunc(groups, func(a, b []AtRate) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a[0].Way), slices.Index(order, b[0].Way)), cmp.Compare(a[0].Rate, b[0].Rate))
	})
	return groups
}
