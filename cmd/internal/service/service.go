package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Service is the bot without a front end.
type Service struct {
	Desk   *bot.Desk
	Store  *store.Store
	Meter  *meter.Meter
	roles  *roles
	config *Config
	env    Environment
	log    *slog.Logger
}

// New opens the database and makes the desk. Close ends it.
func New(ctx context.Context, config *Config, env Environment, log *slog.Logger) (*Service, error) {
	counts := meter.New()
	client, err := env.github(counts)
	if err != nil {
		return nil, err
	}
	base, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	broker := awsaccess.New(base)
	assumed := &roles{}
	broker.Observe = observe(counts, assumed)
	desk := &bot.Desk{Log: log, Meter: counts, BreakGlass: config.BreakGlass, Version: Version(), Settings: config.Hash}
	if config.FreshProof != nil {
		desk.FreshProof = *config.FreshProof
	}
	broker.Record, broker.Fence = desk.Called, desk.Fence
	spares := githubaccess.Sparing(client)
	var operations []ops.Operation
	terms, digests := map[string]request.Terms{}, map[string]string{}
	for _, o := range config.Operations {
		operations = append(operations, o.Settings.Operation(broker, spares, config.GitHub.Organization))
		terms[o.Settings.Name()] = o.Terms
		if digests[o.Settings.Name()], err = o.Digest(); err != nil {
			return nil, err
		}
	}
	if err := ops.Validate(operations); err != nil {
		return nil, err
	}
	counts.Offer(operationNames(operations)...)
	identities := map[string]string{}
	for _, i := range config.Identities {
		identities[i.Slack] = i.GitHub
	}
	// River and goose tell at the level of information what only a debugger wants.
	db, err := store.Open(ctx, env.DatabaseURL, slog.New(atLeast{log.Handler(), slog.LevelWarn}))
	if err != nil {
		return nil, err
	}
	counts.Watch(seldom(func(ctx context.Context) (meter.Backlog, error) {
		b, err := db.Backlog(ctx)
		return meter.Backlog(b), err
	}))
	desk.Store, desk.Operations, desk.Terms = db, operations, terms
	desk.SettingsOf = func(operation string) string { return digests[operation] }
	desk.Team = &team.Team{
		GitHub: client, Organization: config.GitHub.Organization, Slug: config.GitHub.Team,
		Identities: identities, Links: db, Channel: "#" + strings.TrimPrefix(config.Slack.LogChannel, "#"),
		Device: team.Device{ClientID: config.GitHub.ClientID, URL: env.GitHubURL},
		SAML:   team.SAML{URL: env.GitHubGraphQLURL, Domains: config.GitHub.SAML.Domains},
	}
	if kept := config.vault(broker); kept.Name != "" {
		desk.Vault = func(ctx context.Context, head store.Head) (string, error) {
			return kept.Put(ctx, anchor.Anchor{Seq: head.Seq, Hash: head.Hash}, time.Now())
		}
	}
	return &Service{Store: db, Desk: desk, Meter: counts, roles: assumed, config: config, env: env, log: log}, nil
}

// seldom reads what a scrape asks the database for once a second at most.
func seldom(read func(context.Context) (meter.Backlog, error)) func(context.Context) (meter.Backlog, error) {
	var mu sync.Mutex
	var at time.Time
	var last meter.Backlog
	return func(ctx context.Context) (meter.Backlog, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) < keepAnswer {
			return last, nil
		}
		b, err := read(ctx)
		if err == nil {
			last, at = b, time.Now()
		}
		return b, err
	}
}

// vault is where the settings have the audit anchored; the zero value: nowhere.
func (c *Config) vault(broker *awsaccess.Broker) anchor.Bucket {
	if c.Audit.Bucket == "" {
		return anchor.Bucket{}
	}
	return anchor.Bucket{
		Broker: broker, Role: c.Audit.Role, Region: c.Audit.Region, Name: c.Audit.Bucket, Prefix: c.Audit.Prefix, Retain: c.Audit.Retain,
	}
}

// Version is that of this binary, with its commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return text
}

// Log is the operator's log, to a writer, as JSON: lines of a level and of graver ones.
// No secret that can be told by its shape gets through it, and nothing that commands the
// terminal where it is read.
func Log(to io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: redact}))
}

func redact(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(ops.Logged(ops.Redact(v)))
	case error:
		a.Value = slog.StringValue(ops.Logged(ops.Redact(v.Error())))
	case time.Time, time.Duration, bool, int64, uint64, float64, slog.Level, *slog.Source:
	default:
		if clean, err := ops.RedactJSON(v); err == nil {
			a.Value = slog.AnyValue(clean)
		}
	}
	return a
}

// Close closes the database.
func (s *Service) Close() error { return s.Store.Close() }

// How long each part of stopping may take; together less than the 25 s that
// whoever sent SIGTERM waits.
const (
	stopWithin  = 14 * time.Second // the steps at hand
	leaveWithin = 22 * time.Second // that, and what is to be told
)

// Serve is the bot in Slack. It returns nil when ctx ends and all is put away,
// and an error that says what to do when it can't start or go on.
func Serve(ctx context.Context, config *Config, env Environment, log *slog.Logger) error {
	if err := env.faults(); err != nil {
		return err
	}
	if both := env.twice(); both != "" {
		log.Warn(both)
	}
	if strings.Contains(env.DatabaseURL, ":memory:") {
		log.Warn("DATABASE_URL keeps requests, links and the record in memory: they are lost when the program ends")
	}
	if len(config.Operations) == 0 {
		return errors.New("no operation has settings, so there is nothing to offer: see operations in the README's example")
	}
	s, err := New(ctx, config, env, log)
	if err != nil {
		return unlessStopped(ctx, log, err)
	}
	defer s.Close()
	s.Desk.Front = request.Chat
	s.Store.Own(env.GitHubToken)
	face := chat.New(s.Desk, chat.Settings{
		AppToken: env.SlackAppToken, BotToken: env.SlackBotToken, APIURL: env.SlackAPIURL, LogChannel: config.Slack.LogChannel,
	}, log)
	s.Desk.Present, s.Desk.Team.People = face.Present, face.Person
	listener, err := net.Listen("tcp", env.Listen)
	if err != nil {
		return fmt.Errorf("listen for health checks (ROOTBOT_LISTEN): %w", err)
	}
	watched := &health{service: s, face: face, stopping: func() bool { return ctx.Err() != nil }}
	web := &http.Server{Handler: watched.serve(), ReadHeaderTimeout: 5 * time.Second}
	go web.Serve(listener)
	defer web.Close()

	if err := s.missingScopes(ctx); err != nil {
		return unlessStopped(ctx, log, err)
	}
	home, err := face.Open(ctx)
	if err != nil {
		return unlessStopped(ctx, log, err)
	}
	s.Desk.Team.Workspace, s.Desk.Team.Channel = home.Workspace, home.Channel
	go watched.answer(ctx) // so that what is wrong for good stands in the log before anybody asks
	go s.visibleOperations(ctx)
	if err := s.Desk.Start(ctx); err != nil {
		return unlessStopped(ctx, log, err)
	}
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		face.Deliver(delivering)
	}()
	log.Info("serving", "operations", operationNames(s.Desk.Operations), "listen", listener.Addr().String())

	failed := face.Listen(ctx)

	leaving, left := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer left()
	stopping, stopped := context.WithTimeout(leaving, stopWithin)
	defer stopped()
	if err := s.Desk.Stop(stopping); err != nil {
		log.Warn("stop working", "error", err)
	}
	face.Flush(leaving)
	stopDelivering()
	select {
	case <-delivered:
	case <-leaving.Done():
		log.Warn("not everything could be told; what is stored will be at the next start")
	}
	log.Info("stopped")
	return failed
}

// unlessStopped is the fault of a start, or nil where the program was told to end
// meanwhile: that is what stopped the start.
func unlessStopped(ctx context.Context, log *slog.Logger, err error) error {
	if ctx.Err() == nil {
		return err
	}
	log.Info("stopped before it served", "error", err)
	return nil
}

// atLeast passes on what is at least as grave as a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
