package bench

import "fmt"

// drawings are the figures of growth, a bar for each cell; none without growth.
func (g *Growth) drawings() []drawing {
	if g == nil {
		return nil
	}
	all := []struct {
		drawing
		of func(Cell) float64
	}{
		{drawing{what: "CPU per event, µs", format: "%.1f"}, func(c Cell) float64 { return c.CPUPerEvent }},
		{drawing{what: "Memory of the process, B a customer", format: "%.0f"}, func(c Cell) float64 { return float64(c.Resident) / float64(c.Customers) }},
		{drawing{what: "Restore from the changelog, s", format: "%.2f"}, func(c Cell) float64 { return c.RestoreSeconds }},
		{drawing{what: fmt.Sprintf("Event to lookup at %d/s, 99 %%, ms", growthRate), format: "%.1f"}, func(c Cell) float64 { return c.P99 }},
	}
	var drawn []drawing
	for _, f := range all {
		for _, c := range g.Cells {
			one := strip{label: c.label(), ours: true}
			if v := f.of(c); v > 0 {
				one.value = &Spread{Median: v, Min: v, Max: v}
			}
			f.strips = append(f.strips, one)
		}
		drawn = append(drawn, f.drawing)
	}
	return drawn
}

// label is how a cell differs from the one in the middle, or how many customers
// it has.
func (c *Cell) label() string {
	switch {
	case c.Zipf:
		return thousands(c.Customers) + " Zipf"
	case c.Partitions != growthPartitions:
		return fmt.Sprintf("%d partitions", c.Partitions)
	case c.Events != rowEvents:
		return fmt.Sprintf("%d events each", c.Events)
	}
	return thousands(c.Customers)
}
