package store_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"billstream/internal/store"
)

// FuzzReadSnapshot reads any bytes as a snapshot; sealed gives them checksums
// that are right, so that the damage gets behind these.
func FuzzReadSnapshot(f *testing.F) {
	golden, err := os.ReadFile("testdata/v1.snapshot")
	noError(f, err)
	f.Add(golden, false)
	f.Add(golden, true)
	f.Add(golden[:len(golden)-32], true)
	f.Add(slices.Concat(golden, golden), false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if b = slices.Clone(b); sealed {
			store.Reseal(b)
		}
		rows, last := map[string]string{}, ""
		snap, memory, err := store.ReadSnapshotBytes(b, func(k string, v []byte) error {
			if k <= last && len(rows) > 0 {
				t.Errorf("row %q comes behind %q", k, last)
			}
			last = strings.Clone(k)
			rows[last] = string(v)
			return nil
		})
		if memory > 4*len(b)+4096 {
			t.Errorf("reading has taken %d bytes for a file of %d", memory, len(b))
		}
		if err != nil {
			if u, ok := errors.AsType[*store.UnusableError](err); !ok || u.Reason != "corrupt" && u.Reason != "version" {
				t.Errorf("error is %v, want one that says what the file is", err)
			}
			return
		}
		if int64(len(rows)) != snap.Rows || snap.Bytes != int64(len(b)) || snap.Through < snap.From {
			t.Errorf("%+v is read of %d bytes with %d rows", snap, len(b), len(rows))
		}
		again := bytes.Buffer{}
		noError(t, store.WriteSnapshotTo(t.Context(), &again, table{rows, snap.From}))
		found := map[string]string{}
		_, _, err = store.ReadSnapshotBytes(again.Bytes(), func(k string, v []byte) error {
			found[strings.Clone(k)] = string(v)
			return nil
		})
		if err != nil || !maps.Equal(found, rows) {
			t.Errorf("rows %q are %q, %v when they are written again", rows, found, err)
		}
	})
}
