package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestCommittedDashboardsAreWhatTheGeneratorWrites(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range dashboards() {
		want, err := os.ReadFile(filepath.Join(dir, d.file()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", d.file()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes, want it written by go generate ./dashboards and not by hand", d.file())
		}
	}
}

// Maps are in several of the values, and their order is random.
func TestGeneratorWritesTheSameEveryTime(t *testing.T) {
	for i, d := range dashboards() {
		first, err := encode(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := encode(dashboards()[i])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, again) {
				t.Fatalf("two runs for %s differ, want the same bytes", d.UID)
			}
		}
	}
}

func TestLayBreaksLinesAtTheEdgeOfTheGrid(t *testing.T) {
	got := lay([]row{
		{title: "a", height: 5, places: []place{{16, panel{}}, {8, panel{}}, {12, panel{}}}},
		{title: "b", height: 3, places: []place{{24, panel{}}}},
	})
	want := []gridPos{
		{H: 1, W: 24, Y: 0},
		{H: 5, W: 16, X: 0, Y: 1},
		{H: 5, W: 8, X: 16, Y: 1},
		{H: 5, W: 12, X: 0, Y: 6},
		{H: 1, W: 24, Y: 11},
		{H: 3, W: 24, Y: 12},
	}
	if len(got) != len(want) {
		t.Fatalf("panels is %d, want %d", len(got), len(want))
	}
	for i, p := range got {
		if p.GridPos != want[i] || p.ID != i+1 {
			t.Errorf("panel %d is at %+v with id %d, want %+v", i+1, p.GridPos, p.ID, want[i])
		}
	}
}
