package views

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"billstream/internal/billing"
)

// How long an answer may wait for the position that it must include.
const (
	defaultWait = 5 * time.Second
	maxWait     = 30 * time.Second
)

// demand is how new an answer must be.
type demand struct {
	positions []billing.Position // at most one of each partition, ascending; nil: none
	wait      time.Duration      // how long it may take
	preferred bool               // wait is what the client prefers
	partly    bool               // parts that are not complete are taken, and not waited for
}

// fresh returns the partitions from first to end-1, complete, and at or after
// the positions that r asks for. What they include is in the answer's header
// from then on, whatever the answer becomes.
func (a *api) fresh(w http.ResponseWriter, r *http.Request, first, end int32) ([]part, error) {
	return a.freshParts(w, r, first, end, false)
}

// freshParts is fresh; with partly set, partitions that are not complete come as
// well. They say so, and nothing that is asked of them is waited for.
func (a *api) freshParts(w http.ResponseWriter, r *http.Request, first, end int32, partly bool) ([]part, error) {
	d, err := parseDemand(r.Header)
	if err != nil {
		return nil, err
	}
	d.partly = partly
	parts, err := a.parts(first, end, partly)
	if err != nil {
		return nil, err
	}
	if d.positions != nil {
		if parts, err = a.meet(w, r, d, parts); err != nil {
			return nil, err
		}
	}
	w.Header()["Billing-Position"] = positionsOf(parts)
	return parts, nil
}

// meet returns parts once they include what d asks for.
func (a *api) meet(w http.ResponseWriter, r *http.Request, d demand, parts []part) ([]part, error) {
	first, end := parts[0].number, parts[0].number+int32(len(parts))
	for _, p := range d.positions {
		if p.Partition >= a.Partitions {
			return nil, &Problem{Code: InvalidPosition, Detail: fmt.Sprintf("partition is %d, want 0 to %d", p.Partition, a.Partitions-1)}
		}
	}
	if d.preferred {
		w.Header().Set("Preference-Applied", "wait="+seconds(d.wait))
	}
	if len(d.missing(parts)) == 0 {
		return parts, nil
	}
	if d.wait > 0 {
		if err := a.wait(w.(*answer), r.Context(), d, d.missing(parts)); err != nil {
			return nil, err
		}
		var err error
		if parts, err = a.parts(first, end, d.partly); err != nil {
			return nil, err
		}
	}
	if missing := d.missing(parts); len(missing) > 0 {
		return nil, behind(d, missing, parts)
	}
	return parts, nil
}

// missing returns the positions that parts do not include. Those of partitions
// that the answer is not made from do not count, nor those of parts that are
// not complete: of these there is no answer, however long it takes.
func (d demand) missing(parts []part) []billing.Position {
	var missing []billing.Position
	for _, want := range d.positions {
		i := int(want.Partition - parts[0].number)
		if i >= 0 && i < len(parts) && parts[i].lacks == nil && parts[i].next <= want.Offset {
			missing = append(missing, want)
		}
	}
	return missing
}

// behind is the problem that the missing positions were not reached in time. Of
// the parts it tells where those stand that are behind.
func behind(d demand, missing []billing.Position, parts []part) *Problem {
	late := make([]part, 0, len(missing))
	for _, m := range missing {
		late = append(late, parts[m.Partition-parts[0].number])
	}
	return &Problem{
		Code:     ViewBehind,
		Detail:   fmt.Sprintf("waited %s s for %s", seconds(d.wait), join(missing)),
		Position: positionsOf(late)[0],
	}
}

// wait waits until the positions are reached or the time is over; which of the
// two, the caller sees. A request that waits gives its slot to one that has work
// to do, and is counted among those that wait.
func (a *api) wait(w *answer, client context.Context, d demand, positions []billing.Position) error {
	if !w.moveTo(w.front.waits) {
		return &Problem{Code: Overload}
	}
	w.extend(d.wait)
	if err := a.reach(client, d, positions); err != nil {
		return err
	}
	if !w.moveTo(w.front.slots) {
		return &Problem{Code: Overload}
	}
	return nil
}

// reach returns when the positions are reached, the time is over, or nobody
// should wait any more.
func (a *api) reach(client context.Context, d demand, positions []billing.Position) error {
	timer := time.NewTimer(d.wait)
	defer timer.Stop()
	for _, want := range positions {
		for {
			changed := a.Changed(want.Partition) // before the look, so that none is missed
			found, err := a.parts(want.Partition, want.Partition+1, d.partly)
			if err != nil {
				return err
			}
			if found[0].lacks != nil || found[0].next > want.Offset {
				break
			}
			select {
			case <-changed:
			case <-timer.C:
				return nil
			case <-client.Done():
				return fmt.Errorf("wait for a position: %w", context.Cause(client))
			case <-a.Closing:
				return &Problem{Code: Draining}
			}
		}
	}
	return nil
}

// parseDemand reads the headers that say how new the answer must be.
func parseDemand(h http.Header) (demand, error) {
	lines := h["Billing-Min-Position"]
	if lines == nil {
		return demand{}, nil
	}
	d := demand{wait: defaultWait}
	var err error
	if d.positions, err = parsePositions(lines); err != nil {
		return d, err
	}
	if wait, ok := parseWait(h["Prefer"]); ok {
		d.wait, d.preferred = wait, true
	}
	return d, nil
}

// parseWait reads the preference wait=SECONDS (RFC 7240 4.3). The first one
// counts. One that cannot be read is no error but ignored, as all preferences
// are, and a longer one than is granted is cut.
func parseWait(lines []string) (time.Duration, bool) {
	for item := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		preference, _, _ := strings.Cut(item, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "wait") {
			continue
		}
		n, err := strconv.ParseUint(strings.Trim(value, ` "`+"\t"), 10, 31)
		return min(time.Duration(n)*time.Second, maxWait), err == nil
	}
	return 0, false
}

// seconds is d in whole seconds.
func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// rowsOf is the rows of all parts.
func rowsOf(parts []part) []Partition {
	rows := make([]Partition, len(parts))
	for i, p := range parts {
		rows[i] = p.rows
	}
	return rows
}
