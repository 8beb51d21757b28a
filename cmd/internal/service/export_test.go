package service

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
)

// Print writes what a message says at a terminal.
func Print(ctx context.Context, s *store.Store, out io.Writer, r request.Request, m request.Message) error {
	return (&Service{Store: s}).print(ctx, terminal{out}, r, m)
}

// Visible says what GitHub doesn't show the bot of a team in an environment.
func Visible(ctx context.Context, env Environment, t *team.Team) error {
	client, err := env.github(meter.New())
	if err != nil {
		return err
	}
	t.GitHub = client
	return (&Service{env: env, Desk: &bot.Desk{Team: t}}).visibleTeam(ctx)
}

// MissingScopes says which scopes the bot's token lacks.
func MissingScopes(ctx context.Context, env Environment, t *team.Team) error {
	return (&Service{env: env, Desk: &bot.Desk{Team: t}}).missingScopes(ctx)
}

// VisibleOperations logs what GitHub doesn't show the bot that these settings name.
func VisibleOperations(ctx context.Context, env Environment, log *slog.Logger, operations ...OperationConfig) error {
	client, err := env.github(meter.New())
	if err != nil {
		return err
	}
	(&Service{env: env, log: log, config: &Config{Operations: operations}, Desk: &bot.Desk{Team: &team.Team{GitHub: client}}}).visibleOperations(ctx)
	return nil
}
