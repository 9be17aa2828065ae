package billing

import (
	"cmp"
	"slices"
	"strings"

	"billstream/internal/customer"
)

// EventHash returns the number by which timelines remember an event: FNV-1a
// (64 bits) over source, a zero byte and id.
//
// Source: Fowler, Noll and Vo; draft-eastlake-fnv.
func EventHash(source, id string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(source) {
		h = (h ^ uint64(source[i])) * prime
	}
	h *= prime // the zero byte
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	return h
}

// At returns the value that holds at t: that of the last version from t or
// before, nil if there is none.
func (t *Timeline) At(at customer.Instant) Value { return t.before(t.after(at)) }

// after returns the index of the first version that begins after at.
func (t *Timeline) after(at customer.Instant) int {
	i := len(t.Versions)
	for i > 0 && t.Versions[i-1].EffectiveFrom > at {
		i--
	}
	return i
}

// before returns the value that holds just before version i.
func (t *Timeline) before(i int) Value {
	if i == 0 {
		return nil
	}
	return t.Versions[i-1].Value
}

// end returns the instant at which version i gives way to a later one, nil if
// it does not. It points into the timeline, which never changes.
func (t *Timeline) end(i int) *customer.Instant {
	for j := i + 1; j < len(t.Versions); j++ {
		if t.Versions[j].EffectiveFrom > t.Versions[i].EffectiveFrom {
			return &t.Versions[j].EffectiveFrom
		}
	}
	return nil
}

// shows reports whether version i holds at any instant: a later one with the
// same EffectiveFrom hides it.
func (t *Timeline) shows(i int) bool {
	return i+1 == len(t.Versions) || t.Versions[i+1].EffectiveFrom > t.Versions[i].EffectiveFrom
}

// has reports whether the event with this hash stated a version.
func (t *Timeline) has(event uint64) bool {
	for i := range t.Versions {
		if t.Versions[i].Event == event {
			return true
		}
	}
	return false
}

// place returns the index at which v belongs: behind its equals.
func (t *Timeline) place(v *Version) int {
	i := len(t.Versions)
	for i > 0 && compareVersions(v, &t.Versions[i-1]) < 0 {
		i--
	}
	return i
}

// hides reports whether version i, before which v belongs, begins together
// with v: then v would never show.
func (t *Timeline) hides(i int, v *Version) bool {
	return i < len(t.Versions) && t.Versions[i].EffectiveFrom == v.EffectiveFrom
}

// beyondHorizon reports whether v would be the oldest version of a timeline
// that has dropped, or would have to drop, its oldest.
func (t *Timeline) beyondHorizon(v *Version) bool {
	i := t.place(v)
	return i == 0 && (t.Truncated || len(t.Versions) >= Horizon) && !t.hides(i, v)
}

// scheduleFull reports whether v would begin at one future instant too many.
func (t *Timeline) scheduleFull(v *Version, now customer.Instant) bool {
	if v.EffectiveFrom <= now {
		return false
	}
	distinct := 0
	for i := t.after(now); i < len(t.Versions); i++ {
		if t.Versions[i].EffectiveFrom == v.EffectiveFrom {
			return false
		}
		if t.shows(i) {
			distinct++
		}
	}
	return distinct >= MaxFuture
}

// with returns the timeline with v at index i. Versions that begin together
// with v and have a lower key will never show again and are left out. dropped
// is the version that the horizon took, nil if none.
//
// The version in force is never dropped. A seventeenth version usually takes
// the oldest; only when many events with one key lie ahead is the oldest still
// in force, and one of those, which shows nowhere, goes instead.
func (t *Timeline) with(i int, v *Version, now customer.Instant) (next Timeline, dropped *Version) {
	keep := i
	for keep > 0 && t.Versions[keep-1].EffectiveFrom == v.EffectiveFrom && compareVersions(&t.Versions[keep-1], v) < 0 {
		keep--
	}
	versions := make([]Version, 0, keep+1+len(t.Versions)-i)
	versions = append(versions, t.Versions[:keep]...)
	versions = append(versions, *v)
	versions = append(versions, t.Versions[i:]...)
	next = Timeline{Truncated: t.Truncated, Versions: versions}
	if len(versions) <= Horizon {
		return next, nil
	}
	if versions[1].EffectiveFrom > now {
		if hidden := next.hiddenAfter(now); hidden >= 0 {
			next.Versions = slices.Delete(versions, hidden, hidden+1)
			return next, nil
		}
	}
	next.Truncated, next.Versions = true, versions[1:]
	return next, &versions[0]
}

// hiddenAfter returns the index of the first version that begins after now and
// never shows, -1 if there is none.
func (t *Timeline) hiddenAfter(now customer.Instant) int {
	for i := t.after(now); i < len(t.Versions); i++ {
		if !t.shows(i) {
			return i
		}
	}
	return -1
}

// compareVersions orders versions by EffectiveFrom, Time and Sequence.
//
// Not by event id: ids are often random and would swap two events of the same
// millisecond.
func compareVersions(a, b *Version) int {
	if c := cmp.Compare(a.EffectiveFrom, b.EffectiveFrom); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return strings.Compare(a.Sequence, b.Sequence)
}
