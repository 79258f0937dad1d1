package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/testbin"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testbin.Remove()
	os.Exit(code)
}

// usages are the programs with completion, with the usage text of those that do not
// print one.
var usages = map[string]string{
	"qmailctl": "", "qmail-queuectl": "", "qmail-explain": "", "qmail-check": "", "qmail-install": "", "qmail-showctl": "",
	"qmail-smtppasswd": "", "qmail-lmtp": "", "qmail-try": "", "smtp-sink": "", "sendmail": "",
	"qmail-smtpd": "qmail-smtpd [ -listen address ]",
}

// spelled are options that a usage text shows in another way.
var spelled = map[string][]string{"-dp": {"-d", "-p"}, "-fsender": {"-f"}, "-Fname": {"-F"}}

// firstWords are the commands of those programs that have them, of which each may have
// options of its own.
var firstWords = map[string][]string{
	"qmail-queuectl": {"list", "count", "show", "hold", "release", "retry", "bounce", "delete", "reroute", "check", "repair"},
	"qmailctl":       {"start", "stop", "restart", "reload", "hup", "stat", "status", "queue", "flush", "doqueue", "alrm", "pause", "cont", "continue", "cdb", "help"},
}

// options lists the options in the usage text of a program.
func options(t *testing.T, program string) []string {
	t.Helper()
	usage := usages[program]
	var all []string
	if usage == "" {
		bin, err := testbin.Dir()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(bin, program), "--help").Output()
		if err != nil {
			t.Fatalf("%s --help: %v", program, err)
		}
		usage, all = string(out), []string{"--help", "--version"}
	}
	for _, m := range regexp.MustCompile(`(?m)(?:^|[\s\[|(.])(-[a-zA-Z]+)`).FindAllStringSubmatch(usage, -1) {
		if more, ok := spelled[m[1]]; ok {
			all = append(all, more...)
		} else {
			all = append(all, m[1])
		}
	}
	for _, word := range firstWords[program] {
		if !regexp.MustCompile(`(?m)\b` + word + `\b`).MatchString(usage) {
			t.Errorf("the usage of %s has no %s", program, word)
		}
	}
	return all
}

// noted has go test run again once a file that only a shell reads has changed.
func noted(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAllHaveCompletion looks for programs that have options, and no completion.
func TestAllHaveCompletion(t *testing.T) {
	for _, name := range glob(t, "../cmd/*/main.go") {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		program := filepath.Base(filepath.Dir(name))
		if _, ok := usages[program]; !ok && strings.Contains(string(source), "version.Answer(") {
			t.Errorf("%s has a usage text and no completion", program)
		}
	}
}

// shell completes the last word of a command line.
type shell func(t *testing.T, words ...string) []string

// complete tests a shell with all programs.
func complete(t *testing.T, shell shell) {
	for program := range usages {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			offered := shell(t, program, "-")
			if words := firstWords[program]; words != nil {
				commands := shell(t, program, "")
				for _, word := range words {
					if !slices.Contains(commands, word) {
						t.Errorf("the command %s is not completed: %q", word, commands)
					}
				}
				if program == "qmail-queuectl" {
					for _, word := range []string{"list", "show", "hold", "check"} {
						offered = append(offered, shell(t, program, word, "-")...)
					}
				}
			}
			for _, option := range options(t, program) {
				if !slices.Contains(offered, option) && !slices.Contains(offered, option+"=") {
					t.Errorf("%s is not completed: %q", option, offered)
				}
			}
		})
	}
}

const inBash = `
file=$1
shift
source "$file" || exit
function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
`

func bash(t *testing.T, words ...string) []string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"-c", inBash, "bash", "completion/bash/" + words[0]}, words...)...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil || errors.Len() > 0 {
		t.Fatalf("%q: %v: %s", words, err, errors.String())
	}
	return strings.Fields(string(out))
}

func TestBash(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	if names := glob(t, "completion/bash/*"); len(names) != len(usages) {
		t.Errorf("there are files for %d programs, want %d: %q", len(names), len(usages), names)
	}
	noted(t, glob(t, "completion/bash/*")...)
	complete(t, bash)
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"qmailctl", "st"}, "start stop stat status"},
		{[]string{"qmailctl", "-s", "s"}, "s6 systemd"},
		{[]string{"qmailctl", "-w", ""}, ""},
		{[]string{"qmailctl", "-s", "s6", "pau"}, "pause"},
		{[]string{"qmailctl", "restart", "s"}, "send smtpd submission smtps"},
		{[]string{"qmailctl", "flush", ""}, ""},
		{[]string{"qmail-queuectl", "re"}, "release retry reroute repair"},
		{[]string{"qmail-queuectl", "show", "-"}, "-json -body"},
		{[]string{"qmail-queuectl", "hold", "-sender", "x"}, ""},
		{[]string{"qmail-smtpd", "-listen", ""}, "systemd"},
		{[]string{"qmail-smtpd", "-listen", ":25", "-"}, ""},
		{[]string{"smtp-sink", "-maildir", "completion/b"}, "completion/bash"},
	} {
		if got := strings.Join(bash(t, tt.words...), " "); got != tt.want {
			t.Errorf("%q is completed by %q, want %q", tt.words, got, tt.want)
		}
	}
}

func TestBashShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed (Debian: shellcheck)")
	}
	noted(t, glob(t, "completion/bash/*")...)
	out, err := exec.Command("shellcheck", append([]string{"-s", "bash"}, glob(t, "completion/bash/*")...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// inZsh has an interactive shell complete a line, and prints what it would offer,
// between two NULs.
const inZsh = `
zmodload zsh/zpty || exit 1
zpty z zsh -f -i
zpty -w z "source $1"
repeat 20; do
	zpty -r z line || exit 2
	[[ $line == ready* ]] && break
done
[[ $line == ready* ]] || exit 3
zpty -w -n z "$2"$'\t'
integer between=0
while zpty -r z line; do
	if [[ $line == *$'\0'* ]]; then
		((between++)) && exit 0
	elif ((between)); then
		print -rn -- $line
	fi
done
`

const zshSetup = `
PROMPT= fpath=($1 $fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
show-end() { print -r -- $'\0' }
compprefuncs=(show-end)
comppostfuncs=(show-end)
zstyle ':completion:*' verbose false
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	print -rl -- $hits
	builtin compadd "$@"
}
print ready
`

func zsh(t *testing.T, words ...string) []string {
	t.Helper()
	folder, err := filepath.Abs("completion/zsh")
	if err != nil {
		t.Fatal(err)
	}
	setup := filepath.Join(t.TempDir(), "setup")
	write(t, setup, []byte(strings.Replace(zshSetup, "$1", folder, 1)), 0o644)
	cmd := exec.Command("timeout", "60", "zsh", "-f", "-c", inZsh, "zsh", setup, strings.Join(words, " "))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %q", words, err, out)
	}
	return strings.Fields(string(out))
}

func TestZsh(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil {
		t.Skip("zsh is not installed (Debian: zsh)")
	}
	noted(t, "completion/zsh/_goqmail")
	complete(t, zsh)
}
