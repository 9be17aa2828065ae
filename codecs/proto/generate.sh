#!/bin/sh
# Writes the Go code of the schemas. It needs protoc (Debian: protobuf-compiler);
# the plugins are tools of the module, so that their versions are pinned.
set -eu
cd "$(dirname "$0")"
protoc -I . \
	--plugin=protoc-gen-go="$(go tool -n protoc-gen-go)" \
	--plugin=protoc-gen-go-vtproto="$(go tool -n protoc-gen-go-vtproto)" \
	--go_out=. --go_opt=paths=source_relative \
	--go-vtproto_out=. --go-vtproto_opt=paths=source_relative,features=marshal+unmarshal+size \
	customer/v1/customer.proto billing/v1/billing.proto
