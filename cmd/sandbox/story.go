package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// story plays one /scim-sync by a member, and one by somebody who isn't, shows
// what Slack shows, and checks what became of the world.
func story(ctx context.Context, w *worldtest.World, bot *running, out io.Writer) error {
	fmt.Fprintf(out, "A Slack workspace, the GitHub organisation %s and an AWS account, all in memory.\n", worldtest.Organization)
	fmt.Fprintf(out, "@otter is in the team %s and asks for a sync; @magpie isn't, and asks too.\n\n", worldtest.Team)
	if _, err := w.Slack.Command(ctx, w.Member.ID, w.General.ID, "/scim-sync", w.Joiner); err != nil {
		return fmt.Errorf("type /scim-sync: %w", err)
	}
	ended := func() bool {
		card, ok := lastCard(w)
		return ok && contains(card.PlainText(), "Done") && len(w.Slack.Thread(w.Log.ID, card.TS)) >= 3 &&
			contains(lastReply(w, card).PlainText(), "Result")
	}
	if err := bot.wait(ctx, w, time.Minute, "the sync to end", ended); err != nil {
		w.Slack.Transcript(out)
		return err
	}
	before := len(w.AWS.Calls())
	if _, err := w.Slack.Command(ctx, w.Outside.ID, w.General.ID, "/scim-sync", ""); err != nil {
		return fmt.Errorf("type /scim-sync as a stranger: %w", err)
	}
	if err := bot.wait(ctx, w, 10*time.Second, "the stranger's refusal", func() bool { return len(w.Slack.Ephemerals(w.Outside.ID)) > 0 }); err != nil {
		return err
	}
	if err := w.Slack.Transcript(out); err != nil {
		return err
	}
	return errors.Join(
		check("the function was invoked once, with {}", func() bool {
			n := 0
			for _, call := range w.AWS.Calls() {
				if call.Name() == "lambda:InvokeFunction" || call.Name() == "lambda:Invoke" {
					n++
					if string(call.Payload) != "{}" {
						return false
					}
				}
			}
			return n == 1
		}()),
		check("the stranger caused no call to AWS", len(w.AWS.Calls()) == before),
		check("the stranger was told why", contains(w.Slack.Ephemerals(w.Outside.ID)[0].PlainText(), worldtest.Team, "Nothing was changed")),
		same(w),
		problems(w),
	)
}

// lastCard is the newest message in the log channel.
func lastCard(w *worldtest.World) (slacktest.Message, bool) {
	messages := w.Slack.Messages(w.Log.ID)
	if len(messages) == 0 {
		return slacktest.Message{}, false
	}
	return messages[len(messages)-1], true
}

func lastReply(w *worldtest.World, card slacktest.Message) slacktest.Message {
	replies := w.Slack.Thread(w.Log.ID, card.TS)
	return replies[len(replies)-1]
}

func check(what string, holds bool) error {
	if holds {
		return nil
	}
	return fmt.Errorf("it should be that %s, and it isn't", what)
}

func problems(w *worldtest.World) error {
	var all []error
	for _, problem := range w.Problems() {
		all = append(all, errors.New(problem))
	}
	return errors.Join(all...)
}

// same compares Identity Center's teams with GitHub's.
func same(w *worldtest.World) error {
	want := map[string][]string{}
	for slug, members := range w.GitHub.Teams() {
		if slug == "all-org-members" {
			continue
		}
		for _, login := range members {
			want[slug] = append(want[slug], login+worldtest.Suffix)
		}
	}
	have := w.Store.Snapshot().Member
	delete(have, "azure-aws-sso-analysts")
	if diff := cmp.Diff(want, have); diff != "" {
		return fmt.Errorf("the teams differ (- GitHub, + Identity Center):\n%s", diff)
	}
	return nil
}
