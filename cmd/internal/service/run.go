package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"
	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// ErrNotDone is what Run returns when the operation ended otherwise than well.
// What happened has been printed.
var ErrNotDone = errors.New("not done")

// Run carries out one operation for the owner of GITHUB_TOKEN, without Slack:
// same check, same plan, same record. A token that a bot runs with beside it proves
// nobody. It prints to out what Slack would show.
func Run(ctx context.Context, config *Config, env Environment, log *slog.Logger, operation string, preview bool, words []string, out io.Writer) error {
	if env.GitHubToken == "" {
		return errors.New("GITHUB_TOKEN is not set: its owner is who asks")
	}
	if err := errors.Join(append(env.githubFaults(), env.awsFaults()...)...); err != nil {
		return err
	}
	s, err := New(ctx, config, env, log)
	if err != nil {
		return err
	}
	defer s.Close()
	o, ok := s.Desk.Operation(operation)
	if !ok {
		return fmt.Errorf("there is no operation %q with settings; there are: %s", operation, strings.Join(operationNames(s.Desk.Operations), ", "))
	}
	if o.Asks() {
		return fmt.Errorf("%s is asked for with a form, in Slack: %s", operation, o.Command)
	}
	inputs, err := o.Words(words)
	if err != nil {
		return errors.New(ops.Words(err, ""))
	}
	owned, err := s.Store.Owned(ctx, env.GitHubToken)
	if err != nil {
		return err
	}
	if owned {
		return errors.New("this GITHUB_TOKEN is the one that rootbot serve runs with, so it tells who the bot is, and not who you are: set GITHUB_TOKEN to a token of your own here; and let the bot be a GitHub App, so that nobody's token stands in its environment")
	}
	client, err := githubaccess.New(env.GitHubAPIURL, githubaccess.Token{Value: env.GitHubToken})
	if err != nil {
		return err
	}
	me, _, err := client.Users.Get(ctx, "")
	if response, ok := errors.AsType[*github.ErrorResponse](err); ok && response.Response.StatusCode == http.StatusUnauthorized {
		return errors.New("GitHub doesn't accept GITHUB_TOKEN (401)")
	}
	if err != nil {
		return errors.New(ops.Words(githubaccess.Explain(err), ""))
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a request's ID: %w", err)
	}
	// What others asked for isn't this process's: it has neither their chat nor the
	// bot's own credentials.
	s.Desk.Front, s.Desk.Only = request.Terminal, id.String()
	if err := s.Desk.Start(ctx); err != nil {
		return err
	}
	failed := s.ask(ctx, bot.Asking{
		Operation: operation, Inputs: inputs, Preview: preview, Asker: request.Asker{Front: request.Terminal, Login: me.GetLogin()},
	}, out)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(failed, s.Desk.Stop(stopping))
}

// ask asks for something and prints what becomes of it.
func (s *Service) ask(ctx context.Context, a bot.Asking, out io.Writer) error {
	r, err := s.Desk.Ask(ctx, a)
	if err != nil {
		return err
	}
	terminal{out}.line("%s, asked for by %s, request %s", a.Operation, a.Asker.Login, ops.Short(r.ID))
	return s.watch(ctx, r.ID, out)
}

const (
	followEvery = 250 * time.Millisecond // a request that another process may carry
	givenUp     = time.Minute            // so long without anybody at work on it, or without a database
)

// watch prints a request's messages as they are written, whichever process writes
// them, until the request has ended.
func (s *Service) watch(ctx context.Context, id string, out io.Writer) error {
	printed := map[int64]bool{}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for well := time.Now(); ; {
		over, err := s.look(ctx, id, out, printed)
		switch {
		case over:
			return err
		case err == nil:
			well = time.Now()
		case !s.Store.Shared() || ctx.Err() != nil || time.Since(well) > givenUp:
			return err
		}
		select {
		case <-ctx.Done():
		case <-s.Store.Woken():
		case <-tick.C:
		}
	}
}

// look prints what is new about a request, but what was printed before. It tells
// whether nothing more comes.
func (s *Service) look(ctx context.Context, id string, out io.Writer, printed map[int64]bool) (over bool, err error) {
	// What is printed is recorded as told, also when ctx ends meanwhile.
	finish := context.WithoutCancel(ctx)
	for {
		// How it stands is read first: what was written up to then is told below.
		r, err := s.Store.Request(finish, id)
		if err != nil {
			return false, err
		}
		told, err := s.tell(finish, id, out, printed)
		if err != nil {
			return false, err
		}
		stalled, err := s.Store.Stalled(finish, id)
		switch {
		case err != nil:
			return false, err
		case told:
			continue
		case r.State == request.Succeeded:
			if r.Preview {
				terminal{out}.text(r.Reason)
			}
			return true, nil
		case r.State.Ended():
			return true, ErrNotDone
		case ctx.Err() != nil:
			return true, fmt.Errorf("interrupted: request %s goes on in rootbot serve, as soon as that runs with this database", ops.Short(id))
		case stalled > givenUp:
			return true, fmt.Errorf("no process has worked on request %s for %v, so this one stops waiting; it is still %s, and goes on in rootbot serve", ops.Short(id), stalled.Round(time.Second), r.State)
		}
		return false, nil
	}
}

// tell prints the messages of a request that weren't told yet.
func (s *Service) tell(ctx context.Context, id string, out io.Writer, printed map[int64]bool) (told bool, err error) {
	waiting, err := s.Store.UnsentOf(ctx, id)
	if err != nil {
		return false, err
	}
	for _, m := range waiting {
		if m.Tries == 0 && m.Due.After(time.Now()) {
			continue // it is for later, when nobody may be here any more
		}
		told = true
		r, err := s.Store.Request(ctx, id)
		if err != nil {
			return told, err
		}
		if !printed[m.ID] {
			if err := s.print(ctx, terminal{out}, r, m); err != nil {
				return told, err
			}
			printed[m.ID] = true
		}
		if err := s.Store.Sent(ctx, time.Now(), store.Delivery{Messages: []int64{m.ID}, Events: s.Desk.Receipt(m, r, store.Post{})}); err != nil {
			return told, err
		}
	}
	return told, nil
}
