//go:build !failpoint

package failpoint

// Hit marks a place.
func Hit(string) {}

// Control reports whether the named defect is wanted.
func Control(string) bool { return false }
