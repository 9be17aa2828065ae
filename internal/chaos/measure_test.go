//go:build chaos || apache

package chaos_test

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// slack is what a gauge may gain beside its share: a quiet process has few
// goroutines and connections.
var slack = map[string]float64{"go_goroutines": 60, "process_open_fds": 30, "process_resident_memory_bytes": 128 << 20}

// gauges reads what must stay flat from the metrics of a worker.
func gauges(t *testing.T, admin string) map[string]float64 {
	t.Helper()
	resp, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	found := map[string]float64{}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		if _, wanted := slack[name]; wanted {
			if found[name], err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) != len(slack) {
		t.Fatalf("metrics have %v, want all of %v", found, slack)
	}
	return found
}
