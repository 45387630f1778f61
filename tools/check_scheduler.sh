#!/usr/bin/env bash
exec "$(dirname "$0")/../run.sh" manage system_status "$@"
