// Package chaos breaks the real program, process by process, and lets the
// independent checker judge what is left. Its tests have the build tag `chaos`;
// `make chaos` runs them.
package chaos
