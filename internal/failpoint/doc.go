// Package failpoint names the places where a test may kill, delay or break the
// process. Without the build tag `failpoint` every call compiles to nothing.
//
// With the tag, environment variables arm the points:
//
//	BILLSTREAM_FAILPOINT=name:n     SIGKILL to itself at the n-th pass
//	BILLSTREAM_PANIC=name:n         panic at the n-th pass
//	BILLSTREAM_DELAY=name:ms,...    sleep at every pass
//	BILLSTREAM_CONTROL=name         one deliberate defect, asked for by Control
//	BILLSTREAM_FAILPOINT_LOG=file   append the name of a point at its first pass
package failpoint
