package store

// Size is what a store takes up.
type Size struct {
	Memory int64 // bytes of the heap
	Disk   int64 // bytes of files
}
