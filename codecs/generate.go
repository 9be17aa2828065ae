package codecs

//go:generate sh proto/generate.sh
