package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/app"
)

// value returns a series by the value of one of its labels.
func (p *process) value(name, label, value string) float64 {
	p.t.Helper()
	sum := 0.0
	for _, m := range p.families()[name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == value {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// registered returns n events that register a customer each.
func registered(n int) (all []*kgo.Record) {
	for i := range n {
		id := fmt.Sprintf("c-%04d", i)
		all = append(all, record(id, event(id, "registered", id, past, `{"name":"`+id+`"}`)))
	}
	return all
}

// listed returns the accounts in their bytes, by customer.
func (p *process) listed() []byte {
	all := pages(p.t, p.app.Addresses().Data)
	var out []byte
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(append(out, all[id]...), '\n')
	}
	return out
}

// left returns the files of the state.
func left(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "state", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("state has %d files %s, %v, want some", len(files), pattern, err)
	}
	return files
}

// A start reads of the changelog what came behind the saved state, and all of it
// where that cannot be used.
func TestAStartGoesOnFromWhatWasSaved(t *testing.T) {
	t.Parallel()
	for kind, files := range map[string]string{app.StoreMemory: "*.snapshot", app.StorePebble: "pebble/*.sst"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := config(t.TempDir())
			c.Store, c.Partitions = kind, 4
			const customers = 400
			p := start(t, c)
			p.produce(false, registered(customers)...)
			p.caughtUp()
			want := p.listed()
			if n := p.value("billstream_store_keys", "store", "billing"); n != customers {
				t.Errorf("store has %v keys, want %d", n, customers)
			}
			if n := p.value("billstream_store_rebuilds_total", "reason", "missing"); n != 4 {
				t.Errorf("without a file %v partitions were rebuilt, want 4", n)
			}
			stop(t, p)

			p = start(t, c)
			if n := p.value("billstream_recovery_records_total", "source", "changelog"); n >= customers/4 {
				t.Errorf("start read %v rows of the changelog, want the few behind the saved state", n)
			}
			if got := p.listed(); !bytes.Equal(got, want) {
				t.Errorf("accounts after a restart are\n%s\nwant\n%s", got, want)
			}
			if n := p.value("billstream_store_rebuilds_total", "store", "billing"); n != 0 {
				t.Errorf("%v partitions were rebuilt, want none", n)
			}
			fromSnapshot := p.value("billstream_recovery_records_total", "source", "snapshot")
			if kind == app.StoreMemory && fromSnapshot < customers || kind == app.StorePebble && fromSnapshot != 0 {
				t.Errorf("start read %v rows of snapshots, want those that there are, and none of a database", fromSnapshot)
			}
			stop(t, p)

			for _, name := range left(t, c.DataDir, files) {
				damage(t, name)
			}
			p = startOnDamage(t, c)
			if p.value("billstream_store_rebuilds_total", "reason", "corrupt") == 0 && kind == app.StorePebble {
				// A database is looked at block by block: this one ends at the first
				// that it reads, and the next knows.
				_, _, _ = get(p.app.Addresses().Data, "/v1/accounts?limit=1000")
				select {
				case <-p.ended:
				case <-time.After(10 * time.Second):
					t.Fatal("process goes on with a damaged database")
				}
				if p.result() == nil {
					t.Error("process ended well on a damaged database")
				}
				p = start(t, c)
			}
			if n := p.value("billstream_store_rebuilds_total", "reason", "corrupt"); n != 4 {
				t.Errorf("on damaged state %v partitions were rebuilt, want 4", n)
			}
			if got := p.listed(); !bytes.Equal(got, want) {
				t.Errorf("accounts on damaged state are\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// startOnDamage runs a process until the test ends and waits until it is ready.
// A compaction may meet the damage of a database first: that process ends, and
// the next one knows.
func startOnDamage(t *testing.T, c app.Config) *process {
	t.Helper()
	p := begin(t, c, t.Output())
	select {
	case <-p.ready:
		p.broker = p.app.Addresses().Broker
		return p
	case <-p.ended:
		if c.Store != app.StorePebble || p.result() == nil {
			t.Fatalf("process ended with %v, want it ready or ended by its damaged database", p.result())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("process is neither ready nor ended after 30 s")
	}
	return start(t, c)
}

func stop(t *testing.T, p *process) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
}

// damage changes a byte in the middle of a file.
func damage(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0xff
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// State of another broker's life is not continued, whatever its offsets are.
func TestForeignStateIsNotServed(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{app.StoreMemory, app.StorePebble} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := config(t.TempDir())
			c.Store, c.Partitions = kind, 2
			p := start(t, c)
			p.produce(false, registered(20)...)
			p.caughtUp()
			stop(t, p)
			if err := os.RemoveAll(filepath.Join(c.DataDir, "broker")); err != nil {
				t.Fatal(err)
			}
			p = start(t, c)
			p.produce(false, registered(40)[20:]...)
			p.caughtUp()
			if n := p.value("billstream_store_rebuilds_total", "reason", "foreign"); n == 0 {
				t.Error("foreign state was not noticed")
			}
			if code, body := p.get("/v1/accounts/c-0001"); code != 404 {
				t.Errorf("a customer of the other broker is %d %s, want 404", code, body)
			}
			p.account("c-0030", 1)
		})
	}
}

// The state is saved while the process runs, too: one that dies starts from
// there.
func TestTheStateIsSavedFromTimeToTime(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	c.SnapshotInterval, c.Partitions = time.Second, 1
	p := start(t, c)
	p.produce(false, registered(10)...)
	p.caughtUp()
	p.eventually("snapshot is written", 10*time.Second, func() (bool, string) {
		at := p.value("billstream_store_snapshot_timestamp_seconds", "store", "billing")
		return time.Since(time.UnixMilli(int64(at*1000))) < time.Minute, fmt.Sprint(at)
	})
	if files := left(t, c.DataDir, "*.snapshot"); len(files) != 1 {
		t.Errorf("state has the files %v, want one", files)
	}
	code, body, err := get(p.app.Addresses().Admin, "/statusz")
	if err != nil || code != 200 || !bytes.Contains(body, []byte(`"kind":"memory"`)) {
		t.Errorf("status is %d %s, %v, want the kind of store in it", code, body, err)
	}
}

// A database that was built from the changelog counts as saved at once: else a
// process that dies before its first save would have built it for nothing.
func TestABuiltDatabaseIsSavedAtOnce(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	c.Store, c.SnapshotInterval, c.Partitions = app.StorePebble, time.Hour, 2
	p := start(t, c)
	p.produce(false, registered(20)...)
	p.caughtUp()
	stop(t, p)
	if err := os.RemoveAll(filepath.Join(c.DataDir, "state")); err != nil {
		t.Fatal(err)
	}
	p = start(t, c)
	if n := p.value("billstream_recovery_records_total", "source", "changelog"); n < 20 {
		t.Errorf("start read %v rows of the changelog, want all 20 customers", n)
	}
	p.eventually("database is saved", 10*time.Second, func() (bool, string) {
		at := p.value("billstream_store_snapshot_timestamp_seconds", "store", "billing")
		return at > 0, fmt.Sprint(at)
	})
}

func TestTheSpaceOfTheDataDirectoryIsTold(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	free, size := p.alone("billstream_data_dir_free_bytes"), p.alone("billstream_data_dir_capacity_bytes")
	if free <= 0 || size < free {
		t.Errorf("file system has %v bytes free of %v, want some, and no more than all", free, size)
	}
}

// alone returns a gauge without labels, 0 if there is none.
func (p *process) alone(name string) (sum float64) {
	p.t.Helper()
	for _, m := range p.families()[name].GetMetric() {
		sum += m.GetGauge().GetValue()
	}
	return sum
}
