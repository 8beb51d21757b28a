// Command rootbot is the bot: serve in Slack, run an operation from a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

// commands is the command line.
type commands struct {
	Serve   serve   `cmd:"" help:"Answer commands in Slack until SIGTERM."`
	Run     run     `cmd:"" help:"Run an operation from this terminal. Who asks is the owner of GITHUB_TOKEN."`
	Version version `cmd:"" help:"Print the version."`
}

type configFlag struct {
	Config string `help:"The settings file." default:"rootbot.yaml" env:"ROOTBOT_CONFIG" type:"path"`
}

type serve struct{ configFlag }

type run struct {
	configFlag
	Plan      bool     `help:"Only say what would be done."`
	Operation string   `arg:"" help:"The operation: scim-sync."`
	Words     []string `arg:"" optional:"" help:"What would stand behind the slash command."`
}

type version struct{}

// environment is what main hands to the commands.
type environment struct {
	ctx    context.Context
	env    service.Environment
	stdout io.Writer
	stderr io.Writer
}

func (c *serve) Run(e *environment) error {
	config, err := service.ReadConfig(c.Config)
	if err != nil {
		return err
	}
	return service.Serve(e.ctx, config, e.env, slog.New(slog.NewJSONHandler(e.stderr, nil)))
}

func (c *run) Run(e *environment) error {
	config, err := service.ReadConfig(c.Config)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return service.Run(e.ctx, config, e.env, log, c.Operation, c.Plan, c.Words, e.stdout)
}

func (*version) Run(e *environment) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("the binary has no build information")
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " " + s.Value
		}
	}
	fmt.Fprintf(e.stdout, "rootbot %s%s %s\n", info.Main.Version, revision, info.GoVersion)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := start(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// start runs one command line and returns the exit status.
func start(ctx context.Context, args []string, get func(string) string, stdout, stderr io.Writer) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, kong.Name("rootbot"), kong.Description("Looks after an organisation's AWS root accounts, from Slack."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { status = code }))
	if err != nil {
		fmt.Fprintln(stderr, "rootbot:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if status >= 0 { // --help has been printed
		return status
	}
	if err != nil {
		fmt.Fprintln(stderr, "rootbot:", err)
		return 2
	}
	err = parsed.Run(&environment{ctx: ctx, env: service.ReadEnvironment(get), stdout: stdout, stderr: stderr})
	switch {
	case errors.Is(err, service.ErrNotDone):
		return 1
	case err != nil:
		fmt.Fprintln(stderr, "rootbot:", err)
		return 1
	}
	return 0
}
