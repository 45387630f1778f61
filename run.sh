#!/usr/bin/env bash
# The one entry: installs what is missing into .venv, then does what is asked. Needs Python 3.11+ and a package index.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

usage() {
    cat <<'TEXT'
Two commands to begin with:
  ./run.sh dev                 start everything: http://localhost:5001, the clusters, the embedded servers; Ctrl-C stops it
  ./run.sh test                check style, types and imports, and run the tests

The others:
  ./run.sh test ARGUMENTS      run pytest alone with these arguments (also: --real, --crash, --long, --drill)
  ./run.sh check [NAME …]      the named checks alone: style, format, imports, types, all-types (the tests' types too)
  ./run.sh bench [NAME …]      measure speed, size and memory as ratios (also: --real, --json, --help)
  ./run.sh drill [ARGUMENTS]   rehearse faults at random points of simulated evenings (also: --rounds, --seed, --help)
  ./run.sh mutants [WORDS …]   try whether the tests notice known errors (also: --markdown)
  ./run.sh manage COMMAND …    manage.py inside the environment
  ./run.sh psql [ARGUMENTS]    a prompt on the database in use
  ./run.sh prod [ARGUMENTS]    docker compose up (with arguments: docker compose with these)
  ./run.sh install             only install
  ./run.sh lock [--upgrade]    write requirements.txt anew from pyproject.toml: each package's version and hashes
TEXT
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

suitable_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "Python 3.11, 3.12 or 3.13 is needed and was not found. Install one, or name it: PYTHON=/path/to/python ./run.sh …"
}

installed() {
    cmp -s requirements.txt .venv/requirements.installed && .venv/bin/python -c '' 2>/dev/null
}

# uv itself, as the lock has it.
install_uv() {
    sed -n '/^uv==/,/[^\\]$/p' requirements.txt >.venv/uv.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
}

# Runs alone: install_once holds a lock around it.
install_now() {
    installed && return
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        printf 'Making the virtual environment .venv …\n' >&2
        "$(suitable_python)" -m venv --clear .venv ||
            die "The virtual environment could not be made. On Debian and Ubuntu: apt-get install python3-venv"
    fi
    printf 'Installing the packages of requirements.txt (only now and after it changes) …\n' >&2
    rm -f .venv/requirements.installed
    # uv is ten times faster; where it cannot be had, or does not know pip's own index settings, pip does the same.
    if ! { install_uv 2>/dev/null &&
        .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r requirements.txt 2>/dev/null; }; then
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt ||
            die "The packages could not be installed; pip's message is above. The first start needs a package index, and takes only" \
                "files whose hashes are in requirements.txt: where pip says that they do not match, the index serves another file."
    fi
    cp requirements.txt .venv/requirements.installed
}

install_once() {
    installed && return
    # Two first starts at once must not install over each other. flock(1) is not everywhere; Python's is.
    "$(suitable_python)" -c '
import fcntl, subprocess, sys
with open(".install.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.exit(subprocess.call(["./run.sh", "_install_now"]))'
}

# Newest versions only with --upgrade; what pyproject.toml overrides for one platform in vain is left out.
lock() {
    UV_CUSTOM_COMPILE_COMMAND="./run.sh lock" .venv/bin/python -m uv pip compile pyproject.toml --output-file requirements.txt --quiet \
        --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-package pywebview --no-emit-package bottle --no-emit-package proxy-tools "$@"
}

# The value of a variable as docker compose would see it: the environment's, else that of .env.
production_value() {
    if [ -n "${!1:-}" ]; then
        printf '%s' "${!1}"
    elif [ -f .env ]; then
        python3 -I tradingsite/dotenv.py .env "$1"
    fi
}

# Says all that is missing at once and how to make it, where docker would name the first and stop.
require_production_values() {
    local name value wrong="" host url
    if ! command -v python3 >/dev/null; then
        return # compose asks for what is missing, one by one, and the service `prepare` checks it
    fi
    for name in SECRET_KEY POSTGRES_PASSWORD REDIS_PASSWORD; do
        value=$(production_value "$name")
        case $value in
        "") wrong+="  $name is not set."$'\n' ;;
        trader_password | your_* | changeme) wrong+="  $name is an example out of a manual, which everybody knows."$'\n' ;;
        esac
        if [ "$name" = SECRET_KEY ] && [ -n "$value" ] && [ ${#value} -lt 32 ]; then
            wrong+="  SECRET_KEY has fewer than 32 characters."$'\n'
        fi
    done
    if [ -n "$wrong" ]; then
        die "Production needs secrets of its own in .env:
${wrong}A line with a random value is added by, for example
  printf 'SECRET_KEY=%s\\n' \"\$(openssl rand -hex 32)\" >> .env
A database that exists already keeps the password that it was made with."
    fi
    [ -f .env ] || die "The containers take their settings from .env, and there is none. Make one: install -m 600 .env.example .env"
    host=$(production_value POSTGRES_HOST) url=$(production_value DATABASE_URL)
    if [ -z "$host$url" ]; then
        printf '%s\n' "Note: ./run.sh manage and tools/ on this machine use the embedded database, not that of the containers," \
            "until .env says POSTGRES_HOST=127.0.0.1 and REDIS_HOST=127.0.0.1 (the containers do not mind)." >&2
    fi
}

# One check by name. The types and imports checkers read the settings; the address keeps them from starting a database.
check() {
    local without_database="env DJANGO_SETTINGS_MODULE=tradingsite.settings DATABASE_URL=postgresql:///unused"
    case $1 in
    style) .venv/bin/ruff check . ;;
    format) .venv/bin/ruff format --check . ;;
    imports) $without_database .venv/bin/lint-imports ;;
    types) $without_database .venv/bin/mypy manage.py tradingsite stocks brokers market_data ml portfolio ;;
    all-types) $without_database .venv/bin/mypy ;; # the tests too
    tests) .venv/bin/python -m pytest -n "$(workers)" --dist worksteal --durations 10 ;;
    *) die "There is no check '$1'. There are: style, format, imports, types, all-types." ;;
    esac
}

# One more than there are processors, because browsers, servers and locks let tests wait; four at most.
workers() {
    .venv/bin/python -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))'
}

timed() {
    local name=$1 started=$SECONDS outcome=ok
    check "$name" || outcome=FAILED
    printf '%-10s %-7s %4d s\n' "$name" "$outcome" $((SECONDS - started)) >>"$summary"
    [ $outcome = ok ]
}

check_beside() {
    local failed=0 name
    for name in types imports; do
        printf '\n== %s\n' "$name"
        timed "$name" || failed=1
    done
    return $failed
}

# Types and imports need one processor for a minute, so they are checked beside pytest; their reports follow its own.
run_tests() {
    local failed=0 beside="" name
    unset PYTHONDONTWRITEBYTECODE # the programs that tests start would compile every module again
    summary=$(mktemp) reports=$(mktemp)
    trap 'rm -f "$summary" "$reports"' EXIT
    check_beside >"$reports" 2>&1 &
    beside=$!
    for name in style format tests; do
        printf '\n== %s\n' "$name"
        timed "$name" || failed=1
    done
    wait $beside || failed=1
    cat "$reports"
    printf '\n== summary\n'
    cat "$summary"
    return $failed
}

command=${1:-}
shift || true
case $command in
dev)
    install_once
    exec .venv/bin/python manage.py dev "$@"
    ;;
test)
    install_once
    if [ $# -gt 0 ]; then
        exec .venv/bin/python -m pytest "$@"
    fi
    run_tests
    ;;
check)
    install_once
    [ $# -gt 0 ] || set -- style format imports types
    for name in "$@"; do check "$name"; done
    ;;
bench)
    install_once
    exec .venv/bin/python -m tests.benchmarks "$@"
    ;;
drill)
    install_once
    exec .venv/bin/python -m tests.faults "$@"
    ;;
mutants)
    install_once
    exec .venv/bin/python -m tests.mutants "$@"
    ;;
manage)
    install_once
    exec .venv/bin/python manage.py "$@"
    ;;
psql)
    install_once
    exec .venv/bin/python manage.py psql -- "$@"
    ;;
prod)
    command -v docker >/dev/null || die "docker is needed for ./run.sh prod and was not found."
    docker compose version >/dev/null 2>&1 ||
        die "docker is here without its compose plugin. On Debian and Ubuntu: apt-get install docker-compose-v2 (or -plugin)"
    require_production_values
    [ $# -gt 0 ] || set -- up --build
    exec docker compose "$@"
    ;;
install) install_once ;;
lock)
    install_once
    lock "$@"
    ;;
_install_now) install_now ;;
"" | -h | --help | help) usage ;;
*)
    usage >&2
    die "Unknown command: $command"
    ;;
esac
