// Command rootbot is the bot: serve in Slack, run an operation from a terminal.
//
// The command line is the standard library's flag package, because parsers that
// find methods by their names at run time make the linker keep every method of
// every AWS client: half as much binary again, and that in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops"
)

// command is one thing that rootbot can be told to do.
type command struct {
	name, words, doc string
	run              func(*call) error
}

var commands = []command{
	{"serve", "", "answer commands in Slack until SIGTERM", (*call).serve},
	{"run", "<operation> [words…]", "run an operation from this terminal; who asks is the owner of GITHUB_TOKEN", (*call).operation},
	{"audit", "verify | show <request> | export | restored", "look at the record of what was done; not while the bot runs on a SQLite file", (*call).audit},
	{"link", "list | confirm <login> | remove <login>", "who has proved to be which GitHub account; not while the bot runs on a SQLite file", (*call).link},
	{"version", "", "print the version", (*call).version},
}

// call is one command line and what it may use.
type call struct {
	ctx            context.Context
	get            func(string) string // of the environment
	stdout, stderr io.Writer

	flags  *flag.FlagSet
	config string
	pprof  string // where profiles are served; empty: nowhere
	plan   bool
	words  []string

	anchors []string
	offline bool
	since   string
	format  string
	reason  string
}

func (c *call) serve() error {
	if len(c.words) > 0 {
		return usageError{fmt.Sprintf("serve takes no %q", c.words[0])}
	}
	if err := service.ProfileFault(c.pprof); c.pprof != "" && err != nil {
		return usageError{err.Error()}
	}
	config, err := service.ReadConfig(c.config)
	if err != nil {
		return err
	}
	env := service.ReadEnvironment(c.get)
	level, _ := env.Level() // its fault is told with the others of the environment
	log := service.Log(c.stderr, level)
	if c.pprof != "" {
		stop, err := service.Profile(c.pprof, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	return service.Serve(c.ctx, config, env, log)
}

func (c *call) operation() error {
	if len(c.words) == 0 {
		return usageError{"run needs the name of an operation, such as scim-sync"}
	}
	config, err := service.ReadConfig(c.config)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return service.Run(c.ctx, config, service.ReadEnvironment(c.get), log, c.words[0], c.plan, c.words[1:], c.stdout)
}

func (c *call) audit() error {
	if len(c.words) == 0 {
		return usageError{"audit needs to be told what: verify, show or export, or restored"}
	}
	what, words := c.words[0], c.words[1:]
	env := service.ReadEnvironment(c.get)
	switch {
	case what == "show" && len(words) == 1:
		return service.AuditShow(c.ctx, env, words[0], c.stdout)
	case what == "show":
		return usageError{"audit show needs the ID of one request, as the bot's cards show it"}
	case what != "verify" && what != "export" && what != "restored":
		return usageError{fmt.Sprintf("there is no audit %s: there are verify, show and export, and restored", what)}
	case len(words) > 0:
		return usageError{fmt.Sprintf("audit %s takes no %q", what, words[0])}
	case what == "restored" && strings.TrimSpace(c.reason) == "":
		return usageError{"audit restored needs --reason: what was restored, from when, and why"}
	}
	since, err := day(c.since)
	if err != nil {
		return usageError{err.Error()}
	}
	if what == "export" {
		return service.AuditExport(c.ctx, env, since, c.format, c.stdout)
	}
	v := service.Verification{Env: env, Offline: c.offline, Since: since}
	for _, text := range c.anchors {
		head, err := store.ParseHead(text)
		if err != nil {
			return usageError{err.Error()}
		}
		v.Anchors = append(v.Anchors, head)
	}
	if !c.offline {
		config, err := service.ReadConfig(c.config)
		if err != nil {
			return fmt.Errorf("%w\nWithout settings, use --offline and --anchor", err)
		}
		v.Config = config
	}
	if what == "restored" {
		return v.Restored(c.ctx, c.reason, c.stdout)
	}
	return v.Run(c.ctx, c.stdout)
}

func (c *call) link() error {
	if len(c.words) == 0 {
		return usageError{"link needs to be told what: list, confirm or remove"}
	}
	what, words := c.words[0], c.words[1:]
	env := service.ReadEnvironment(c.get)
	switch {
	case what == "list" && len(words) == 0:
		return service.LinkList(c.ctx, env, c.stdout)
	case what == "list":
		return usageError{fmt.Sprintf("link list takes no %q", words[0])}
	case what != "confirm" && what != "remove":
		return usageError{fmt.Sprintf("there is no link %s: there are list, confirm and remove", what)}
	case len(words) != 1:
		return usageError{fmt.Sprintf("link %s needs the login, or the ID, of one GitHub account", what)}
	case what == "confirm":
		return service.LinkConfirm(c.ctx, env, words[0], c.stdout)
	}
	return service.LinkRemove(c.ctx, env, words[0], c.stdout)
}

// day reads a date or a time; an empty text is the beginning.
func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since: %q is neither a date, such as 2026-01-31, nor a time, such as 2026-01-31T12:00:00Z", text)
}

func (c *call) version() error {
	fmt.Fprintf(c.stdout, "rootbot %s %s\n", service.Version(), runtime.Version())
	return nil
}

// usageError is a fault in the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func main() {
	// A profile of the heap takes a megabyte and a half: serve --pprof alone keeps one.
	runtime.MemProfileRate = 0
	if err := service.TrimAWS(); err != nil {
		fmt.Fprintln(os.Stderr, "rootbot:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := start(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// start runs one command line and returns the exit status.
func start(ctx context.Context, args []string, get func(string) string, stdout, stderr io.Writer) int {
	get = service.Trimmed(get)
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return 0
	}
	for _, known := range commands {
		if known.name != args[0] {
			continue
		}
		c := &call{ctx: ctx, get: get, stdout: stdout, stderr: stderr}
		err := c.parse(known, args[1:])
		if err == nil {
			err = known.run(c)
		}
		return c.status(known, err)
	}
	fmt.Fprintf(stderr, "rootbot: there is no command %q\n", args[0])
	usage(stderr)
	return 2
}

// parse reads a command's flags, which may stand before and behind its words.
func (c *call) parse(known command, args []string) error {
	c.flags = flag.NewFlagSet(known.name, flag.ContinueOnError)
	c.flags.SetOutput(io.Discard)
	config := c.get("ROOTBOT_CONFIG")
	if config == "" {
		config = "rootbot.yaml"
	}
	if known.name != "version" {
		c.flags.StringVar(&c.config, "config", config, "the settings file, rootbot.yaml otherwise; also ROOTBOT_CONFIG")
	}
	if known.name == "serve" {
		c.flags.BoolFunc("pprof", "serve profiles of the running bot at "+service.DefaultProfile+", or at another loopback address: --pprof=127.0.0.1:7070", c.profile)
	}
	if known.name == "run" {
		c.flags.BoolVar(&c.plan, "plan", false, "only say what would be done")
	}
	if known.name == "audit" {
		c.flags.Func("anchor", "verify: compare with this `anchor` too, number:hash; may be given several times", func(text string) error {
			c.anchors = append(c.anchors, text)
			return nil
		})
		c.flags.BoolVar(&c.offline, "offline", false, "verify: don't read the anchors in Slack and S3")
		c.flags.StringVar(&c.since, "since", "", "export: from this `time` on, 2026-01-31 or 2026-01-31T12:00:00Z; verify: the anchors that were left since")
		c.flags.StringVar(&c.reason, "reason", "", "restored: what was restored from a backup, and why")
		c.flags.StringVar(&c.format, "format", "jsonl", "export: "+strings.Join(audit.Formats, ", "))
	}
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError{err.Error()}
		}
		if args = c.flags.Args(); len(args) == 0 {
			break
		}
		c.words, args = append(c.words, args[0]), args[1:]
	}
	if path, err := filepath.Abs(c.config); err == nil && c.config != "" {
		c.config = path
	}
	return nil
}

// profile reads the flag --pprof, which may stand alone: its text is "true" then.
func (c *call) profile(text string) error {
	switch text {
	case "true":
		text = service.DefaultProfile
	case "false":
		text = ""
	}
	c.pprof = text
	return nil
}

// status prints what went wrong and returns the exit status.
func (c *call) status(known command, err error) int {
	wrong, isUsage := errors.AsType[usageError](err)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(c.stdout, "rootbot %s %s\n  %s\n", known.name, known.words, known.doc)
		c.flags.VisitAll(func(f *flag.Flag) { fmt.Fprintf(c.stdout, "  --%-10s %s\n", f.Name, f.Usage) })
		return 0
	case isUsage:
		fmt.Fprintf(c.stderr, "rootbot: %s; see rootbot %s --help\n", wrong.text, known.name)
		return 2
	case errors.Is(err, service.ErrNotDone): // what happened has been printed
		return 1
	}
	fmt.Fprintln(c.stderr, "rootbot:", ops.VisibleLines(ops.Redact(err.Error())))
	return 1
}

func usage(to io.Writer) {
	fmt.Fprintln(to, "rootbot looks after an organisation's AWS root accounts, from Slack.")
	fmt.Fprintln(to)
	for _, known := range commands {
		fmt.Fprintf(to, "  rootbot %-48s %s\n", known.name+" "+known.words, known.doc)
	}
	fmt.Fprintln(to, "\nrootbot <command> --help lists a command's flags.")
}
