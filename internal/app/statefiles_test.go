package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/store"
	"billstream/internal/topics"
)

const statePartitions = 4

// stateRows is what a store holds: the source of a snapshot.
type stateRows map[string][]byte

func (r stateRows) GetOffset(int64) (int64, error) { return 41, nil }

func (r stateRows) Ascend(from string, yield func(key string, value []byte) bool) error {
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if key >= from && !yield(key, r[key]) {
			break
		}
	}
	return nil
}

// stateRowsOf are a position and some customers of a partition.
func stateRowsOf(t *testing.T, partition int32) stateRows {
	t.Helper()
	r := stateRows{string(topics.PositionKey(partition, statePartitions)): codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 7, RecordedAt: 1_000_000, TopicID: []byte("id")})}
	for i := 0; len(r) < 4; i++ {
		id := fmt.Sprintf("secret-%d", i)
		if topics.Partition([]byte(id), statePartitions) == partition {
			r[id] = stateRowOf(t, id)
		}
	}
	return r
}

func stateRowOf(t *testing.T, id string) []byte {
	t.Helper()
	e := &customer.Event{Source: "/t", ID: "e-1", Customer: customer.ID(id), Time: 1_000_000, EffectiveFrom: 1_000_000, Change: customer.Renamed{Name: new("Acme")}}
	res, err := billing.Apply(nil, e, billing.Position{Topic: topics.CustomerEvents, Offset: 6}, 2_000_000)
	if err != nil {
		t.Fatal(err)
	}
	value, err := codecs.AppendRow(nil, res.Row)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func stateOrigin(partition int32) store.Origin {
	return store.Origin{Cluster: "cluster", Topic: topics.BillingTable, TopicID: "topic", Partition: partition, Partitions: statePartitions}
}

// putSnapshot makes a snapshot in a data directory and returns its name.
func putSnapshot(t *testing.T, dataDir string, o store.Origin, r stateRows) string {
	t.Helper()
	dir := app.StateDir(dataDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := store.WriteSnapshot(t.Context(), dir, o, r, time.Now()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, store.SnapshotName(o.Topic, o.Partition))
}

// verdicts are the reasons of all files by name, "" for a good one.
func verdicts(files []app.StateFile) map[string]string {
	all := map[string]string{}
	for _, f := range files {
		all[filepath.Base(f.File)] = f.Reason
	}
	return all
}

func TestStateIsShownByPartition(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []int32{3, 0, 2} {
		putSnapshot(t, dir, stateOrigin(p), stateRowsOf(t, p))
	}
	files, err := app.InspectState(t.Context(), dir, app.AnyPartition)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		info, err := os.Stat(f.File)
		if err != nil {
			t.Fatal(err)
		}
		if f.Bytes != info.Size() || time.Since(f.At) > time.Hour {
			t.Errorf("file is %d bytes of %s, want %d of now", f.Bytes, f.At, info.Size())
		}
		got = append(got, fmt.Sprintf("%s %d/%d %s %s %s %d-%d %d %q", f.Kind, f.Partition, f.Partitions, f.Cluster, f.Topic, f.TopicID, f.From, f.Through, f.Rows, f.Reason))
	}
	want := []string{
		`snapshot 0/4 cluster billing-table topic 41-41 4 ""`,
		`snapshot 2/4 cluster billing-table topic 41-41 4 ""`,
		`snapshot 3/4 cluster billing-table topic 41-41 4 ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("files are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	one, err := app.InspectState(t.Context(), dir, 2)
	if err != nil || len(one) != 1 || one[0].Partition != 2 {
		t.Errorf("files of partition 2 are %v, %v, want its own", one, err)
	}
}

func TestNoStateIsNoMistake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	files, err := app.InspectState(t.Context(), dir, app.AnyPartition)
	if err != nil || len(files) != 0 {
		t.Errorf("files are %v, %v, want none", files, err)
	}
	if files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir}); err != nil || len(files) != 0 {
		t.Errorf("verified files are %v, %v, want none", files, err)
	}
	held, err := app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := held.Entries(); err != nil || len(entries) != 0 {
		t.Errorf("entries are %v, %v, want none", entries, err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory is there (%v), want it not to be made", err)
	}
}

func TestRowsAreLinesOfJSON(t *testing.T) {
	dir := t.TempDir()
	want := map[string]int32{}
	for p := range int32(2) {
		r := stateRowsOf(t, p)
		putSnapshot(t, dir, stateOrigin(p), r)
		for key := range r {
			want[key] = p
		}
	}
	got := map[string]int32{}
	files, err := app.StateRows(t.Context(), app.StateQuery{DataDir: dir, Partition: app.AnyPartition}, func(line []byte) error {
		var row struct {
			Partition     int32
			Key           string
			Seq           int64
			AppliedOffset int64 `json:"applied_offset"`
			Account       *struct {
				ID   string `json:"customer_id"`
				Name string
			}
			Position *struct {
				Next    int64  `json:"next_offset"`
				At      string `json:"recorded_at"`
				TopicID string `json:"topic_id"`
			}
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("line is %s: %v", line, err)
		}
		got[row.Key] = row.Partition
		switch {
		case row.Account != nil:
			if row.Account.ID != row.Key || row.Account.Name != "Acme" || row.Seq != 1 || row.AppliedOffset != 6 {
				t.Errorf("row is %s, want the account of its key", line)
			}
		case row.Position == nil || row.Position.Next != 7 || row.Position.At != "1970-01-01T00:00:01Z" || row.Position.TopicID != "id":
			t.Errorf("row is %s, want a position", line)
		}
		return nil
	})
	if err != nil || files != 2 || !maps.Equal(got, want) {
		t.Errorf("rows of %d files are %v, %v, want %v of 2", files, got, err, want)
	}
}

func TestOneCustomerIsOneRow(t *testing.T) {
	dir := t.TempDir()
	r := stateRowsOf(t, 1)
	putSnapshot(t, dir, stateOrigin(1), r)
	putSnapshot(t, dir, stateOrigin(2), stateRowsOf(t, 2))
	var lines []string
	query := app.StateQuery{DataDir: dir, Partition: app.AnyPartition, Customer: slices.Max(slices.Collect(maps.Keys(stateRowsOf(t, 2))))}
	if query.Customer[0] == '~' {
		query.Customer = slices.Min(slices.Collect(maps.Keys(stateRowsOf(t, 2))))
	}
	files, err := app.StateRows(t.Context(), query, func(line []byte) error { lines = append(lines, string(line)); return nil })
	if err != nil || files != 2 || len(lines) != 1 || !strings.Contains(lines[0], fmt.Sprintf(`"key":%q`, query.Customer)) {
		t.Errorf("rows are %v of %d files, %v, want the one of the customer", lines, files, err)
	}
	stop := errors.New("enough")
	if _, err := app.StateRows(t.Context(), app.StateQuery{DataDir: dir, Partition: app.AnyPartition}, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error is %v, want that of the one who reads", err)
	}
}

// Each defect is found in its file, for its reason, and no other file is blamed.
func TestWhatCannotServeIsFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir, file string)
		reason string
		deep   bool // only whoever reads row by row sees it
	}{
		{"a flipped bit", func(t *testing.T, _, file string) {
			b := fileBytes(t, file)
			b[len(b)/2] ^= 1
			putFile(t, file, b)
		}, "corrupt", false},
		{"half a file", func(t *testing.T, _, file string) { putFile(t, file, fileBytes(t, file)[:200]) }, "corrupt", false},
		{"an empty file", func(t *testing.T, _, file string) { putFile(t, file, nil) }, "corrupt", false},
		{"the file of another partition", func(t *testing.T, dir, file string) {
			putFile(t, file, fileBytes(t, putSnapshot(t, t.TempDir(), stateOrigin(2), stateRowsOf(t, 2))))
		}, "foreign", false},
		{"another topic", func(t *testing.T, _, file string) {
			o := stateOrigin(1)
			o.Topic = "other"
			putFile(t, file, fileBytes(t, putSnapshot(t, t.TempDir(), o, stateRowsOf(t, 1))))
		}, "foreign", false},
		{"a key of another partition", func(t *testing.T, dir, _ string) { putSnapshot(t, dir, stateOrigin(1), stateRowsOf(t, 2)) }, "corrupt", true},
		{"another position row", func(t *testing.T, dir, _ string) {
			r := stateRowsOf(t, 1)
			own := string(topics.PositionKey(1, statePartitions))
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s%d", codecs.PositionKeyPrefix, i)
				if key != own && topics.Partition([]byte(key), statePartitions) == 1 {
					r[key] = r[own]
					break
				}
			}
			putSnapshot(t, dir, stateOrigin(1), r)
		}, "corrupt", true},
		{"a value that is no row", func(t *testing.T, dir, _ string) {
			r := stateRowsOf(t, 1)
			for key := range r {
				r[key] = []byte("nonsense")
			}
			putSnapshot(t, dir, stateOrigin(1), r)
		}, "corrupt", true},
		{"a row of a newer format", func(t *testing.T, dir, _ string) {
			r := stateRowsOf(t, 1)
			for key := range r {
				if key[0] != '~' {
					r[key] = []byte{8, billing.RowFormat + 1}
				}
			}
			putSnapshot(t, dir, stateOrigin(1), r)
		}, "version", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			good := putSnapshot(t, dir, stateOrigin(0), stateRowsOf(t, 0))
			file := putSnapshot(t, dir, stateOrigin(1), stateRowsOf(t, 1))
			c.damage(t, dir, file)
			files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir})
			want := map[string]string{filepath.Base(good): "", filepath.Base(file): c.reason}
			if !errors.Is(err, app.ErrState) || !maps.Equal(verdicts(files), want) {
				t.Errorf("verdicts are %v, %v, want %v", verdicts(files), err, want)
			}
			if err == nil || !strings.Contains(err.Error(), file+" is "+c.reason+": ") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Acme") {
				t.Errorf("error is %v, want the file and why, and no customer", err)
			}
			shown := c.reason
			if c.deep {
				shown = ""
			}
			if files, err := app.InspectState(t.Context(), dir, 1); err != nil || verdicts(files)[filepath.Base(file)] != shown {
				t.Errorf("inspection gives %v, %v, want %q", verdicts(files), err, shown)
			}
			held, err := app.HoldState(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			if _, err := held.Dumps(t.Context(), app.TableBrokers{}); (err == nil) != c.deep || err != nil && !errors.Is(err, app.ErrState) {
				t.Errorf("dumps give %v, want what cannot be read to be told", err)
			}
		})
	}
}

func TestASnapshotOfAnotherTopicIsForeign(t *testing.T) {
	dir := t.TempDir()
	o := stateOrigin(1)
	o.Topic = "other"
	file := putSnapshot(t, dir, o, stateRowsOf(t, 1))
	files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir})
	if len(files) != 1 || files[0].Reason != "foreign" || !errors.Is(err, app.ErrState) || err.Error() != file+" is foreign: topic is other, want billing-table" {
		t.Errorf("files are %+v, %v, want one that is foreign", files, err)
	}
}

func fileBytes(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStateInUseIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	file := putSnapshot(t, dir, stateOrigin(0), stateRowsOf(t, 0))
	other := flock.New(filepath.Join(app.StateDir(dir), "lock"))
	if got, err := other.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	if _, err := app.HoldState(dir); !errors.Is(err, app.ErrConfig) || err.Error() != "data directory "+dir+" is used by another process" {
		t.Errorf("error is %v, want that %s is in use", err, dir)
	}
	if files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir}); err != nil || len(files) != 1 {
		t.Errorf("files are %v, %v, want the one that can be read meanwhile", files, err)
	}
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	held, err := app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.TryLock(); err != nil || got {
		t.Errorf("lock is free (%v), want it held until the end", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := other.TryLock(); err != nil || !got {
		t.Errorf("lock is not free (%v), want it so after the end", err)
	}
	fileBytes(t, file)
}

func TestResetRemovesStateAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	for p := range int32(2) {
		putSnapshot(t, dir, stateOrigin(p), stateRowsOf(t, p))
	}
	state := app.StateDir(dir)
	half := filepath.Join(state, store.SnapshotName(topics.BillingTable, 1)+".tmp")
	putFile(t, half, []byte("half"))
	if err := os.MkdirAll(filepath.Join(state, "pebble", "deep"), 0o750); err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(state, "pebble", "deep", "x"), []byte("12345"))
	putFile(t, filepath.Join(state, "notes.txt"), nil)
	putFile(t, filepath.Join(dir, "mine.snapshot"), nil)

	held, err := app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	entries, err := held.Entries()
	if err != nil {
		t.Fatal(err)
	}
	bytes := map[string]int64{}
	for _, e := range entries {
		bytes[filepath.Base(e.Path)] = e.Bytes
	}
	want := map[string]int64{filepath.Base(half): 4, "pebble": 5}
	for p := range int32(2) {
		name := store.SnapshotName(topics.BillingTable, p)
		want[filepath.Base(name)] = int64(len(fileBytes(t, filepath.Join(state, name))))
	}
	if !maps.Equal(bytes, want) {
		t.Errorf("entries are %v, want %v", bytes, want)
	}
	if err := held.Reset(entries); err != nil {
		t.Fatal(err)
	}
	var left []string
	found, err := os.ReadDir(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		left = append(left, e.Name())
	}
	if !slices.Equal(left, []string{"lock", "notes.txt"}) {
		t.Errorf("files left are %v, want the lock and those of others", left)
	}
	fileBytes(t, filepath.Join(dir, "mine.snapshot"))
}

func TestDumpsAreTheRowsThatWereWritten(t *testing.T) {
	dir := t.TempDir()
	want := map[int32]stateRows{}
	for p := range int32(3) {
		want[p] = stateRowsOf(t, p)
		putSnapshot(t, dir, stateOrigin(p), want[p])
	}
	held, err := app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	dumps, err := held.Dumps(t.Context(), app.TableBrokers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dumps {
		got := stateRows{}
		if err := d.Each(func(key string, value []byte) error {
			got[strings.Clone(key)] = slices.Clone(value)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(got, want[d.Partition], slices.Equal) {
			t.Errorf("rows of partition %d are %d, want the %d that were written", d.Partition, len(got), len(want[d.Partition]))
		}
		delete(want, d.Partition)
	}
	if len(want) != 0 {
		t.Errorf("partitions without a dump are %d, want 0", len(want))
	}
}

func TestNoDumpsAreAnError(t *testing.T) {
	held, err := app.HoldState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Dumps(t.Context(), app.TableBrokers{}); !errors.Is(err, app.ErrState) {
		t.Errorf("error is %v, want that there is nothing", err)
	}
}

func TestReadingStateEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	putSnapshot(t, dir, stateOrigin(0), stateRowsOf(t, 0))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := app.InspectState(ctx, dir, app.AnyPartition); !errors.Is(err, stop) {
		t.Errorf("error is %v, want the cause", err)
	}
	if _, err := app.VerifyState(ctx, app.StateCheck{DataDir: dir}); !errors.Is(err, stop) {
		t.Errorf("error is %v, want the cause", err)
	}
}
