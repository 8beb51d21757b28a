// Command sandbox is rootbot to try out: the real bot, against a Slack, a GitHub
// and an AWS held in memory, with one story played and a prompt to type more at.
// Nothing outside this process is touched, and no account is needed.
//
//	go run ./cmd/sandbox          play the story, then type
//	go run ./cmd/sandbox -story   play the story; the exit status tells whether it came out right
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
	"strings"
	"syscall"
	"time"

	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// run starts the world and the bot, plays the story, and, unless that is all
// that is wanted, reads what people type until they have enough.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(out)
	only := flags.Bool("story", false, "play the story and exit: with status 0 only if it came out right")
	verbose := flags.Bool("v", false, "show the bot's own log on standard error, as much as ROOTBOT_LOG says")
	if err := flags.Parse(args); err != nil {
		return err
	}
	w := worldtest.New(worldtest.Options{
		Pace:  15 * time.Millisecond,
		Grace: 2 * time.Minute, // a week is long at a prompt
		// CloudWatch Logs delivers late, and not all lines equally late.
		LogLag: func(message string) time.Duration { return time.Duration(200+37*len(message)%400) * time.Millisecond },
	})
	defer w.Close()
	bot, err := start(ctx, w, *verbose)
	if err != nil {
		return err
	}
	defer bot.stop()
	told := story(ctx, w, bot, out)
	if told != nil || *only {
		return told
	}
	return prompt(ctx, w, bot, in, out)
}

// running is the bot at work.
type running struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // why it ended; read it after ended
	folder string
}

// start runs the bot as "rootbot serve" would, and returns when it listens.
func start(ctx context.Context, w *worldtest.World, verbose bool) (*running, error) {
	env := w.Env()
	for name, value := range env {
		// The AWS SDK reads the environment itself.
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	folder, err := os.MkdirTemp("", "rootbot-sandbox-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the database: %w", err)
	}
	env["DATABASE_URL"] = "sqlite:" + filepath.Join(folder, "rootbot.db")
	env["ROOTBOT_LISTEN"] = "127.0.0.1:0"
	config, err := service.ParseConfig("sandbox.yaml", []byte(w.Config()))
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if verbose {
		level, err := service.ReadEnvironment(os.Getenv).Level()
		if err != nil {
			return nil, err
		}
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	bot := &running{ended: make(chan struct{}), folder: folder}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	bot.cancel = cancel
	go func() {
		defer close(bot.ended)
		bot.err = service.Serve(serving, config, service.ReadEnvironment(func(name string) string { return env[name] }), log)
	}()
	return bot, bot.wait(ctx, w, 10*time.Second, "the bot to connect", func() bool { return len(w.Slack.Connections()) > 0 })
}

// wait waits for something that Slack, AWS or GitHub would see.
func (b *running) wait(ctx context.Context, w *worldtest.World, limit time.Duration, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	go func() {
		select {
		case <-b.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := w.Slack.Wait(ctx, holds); err != nil {
		select {
		case <-b.ended:
			return fmt.Errorf("the bot stopped: %w", b.err)
		default:
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
	return nil
}

func (b *running) stop() {
	b.cancel()
	<-b.ended
	os.RemoveAll(b.folder)
}

// contains tells whether a text has all the parts.
func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
