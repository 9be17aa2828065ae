package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The names of secret files in sentences.
const (
	passwordFile = "sasl-password-file"
	tokenFile    = "sasl-token-file"
)

// maxSecret bounds what is read as a password or a token.
const maxSecret = 64 << 10

// SecretError says that a password, a token or a certificate could not be had.
// It holds none.
type SecretError struct {
	What string // what was to be read, with its place
	Err  error
}

// Error implements error.
func (e *SecretError) Error() string { return fmt.Sprintf("%s %v", e.What, e.Err) }

// Unwrap returns the cause.
func (e *SecretError) Unwrap() error { return e.Err }

// readFile reads a file for a sentence that begins with its flag.
func readFile(what, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err // the path is said once
	}
	if err != nil {
		return nil, &SecretError{fmt.Sprintf("%s %s", what, path), fmt.Errorf("is not readable (%w), want a file that this user may read", err)}
	}
	return data, nil
}

// readSecret returns the first line of a file, which must be the only one: a
// key or a page in place of a password is a mistake.
func readSecret(what, path string) (string, error) {
	data, err := readFile(what, path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	problem := ""
	switch {
	case secret == "":
		problem = "is empty, want the secret in its first line"
	case len(secret) > maxSecret:
		problem = "is over 64 KiB, want one line"
	case strings.ContainsAny(secret, "\r\n\x00"):
		problem = "has more than one line, want one"
	default:
		return secret, nil
	}
	return "", &SecretError{fmt.Sprintf("%s %s", what, path), errors.New(problem)}
}

// readable is a warning about a secret that others than its owner may read; ""
// for none.
func readable(what, path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o044 == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s has mode %04o, want 0600: others may read the secret", what, path, info.Mode().Perm())
}
