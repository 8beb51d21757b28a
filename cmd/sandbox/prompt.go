package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/cmd/internal/world"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const usage = `Type as in Slack, or:
  /scim-sync …           a command, as the bot offers it; /scim-sync help
  as <name>              be somebody else: otter, badger (in the team), magpie (not), fox (unknown)
  in <channel>           go to another channel: aws-root-account, general
  click [n]              press the newest button, or the n-th of those that "buttons" lists
  buttons                list what can be pressed
  join <login> <team>    somebody joins a team on GitHub
  leave <login> <team>   somebody leaves a team on GitHub
  teams                  GitHub's teams
  misbehave <how>        from now on the sync function is as bad as the real one can be: silent, undefined,
                         rejection, empty, throttled, timeout, no-report; "none" mends it
  show                   everything that has been said
  help · quit
`

// desk is what somebody at the prompt is and where.
type seat struct {
	w       *world.World
	out     io.Writer
	user    slacktest.User
	channel slacktest.Channel
}

// prompt reads lines until "quit", the end of the input, or ctx's end, and shows
// what changes in Slack as it changes.
func prompt(ctx context.Context, w *world.World, bot *running, in io.Reader, out io.Writer) error {
	locked := &writer{to: out}
	s := &seat{w: w, out: locked, user: w.Member, channel: w.Log}
	fmt.Fprint(locked, "\n", usage)
	events, cancel := w.Slack.Subscribe()
	defer cancel()
	go func() {
		for e := range events {
			if e.Kind == slacktest.Posted || e.Kind == slacktest.Edited || e.Kind == slacktest.Ephemeral {
				fmt.Fprint(locked, "\n", w.Slack.Render(e.Message))
			}
		}
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(in); scan.Scan(); {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		fmt.Fprintf(locked, "@%s in #%s> ", s.user.Name, s.channel.Name)
		select {
		case <-ctx.Done():
			return nil
		case <-bot.ended:
			return fmt.Errorf("the bot stopped: %w", bot.err)
		case line, ok := <-lines:
			if !ok || strings.TrimSpace(line) == "quit" {
				return nil
			}
			if err := s.do(ctx, strings.TrimSpace(line)); err != nil {
				fmt.Fprintln(locked, err)
			}
		}
	}
}

// writer lets the prompt and the conversation write in turn.
type writer struct {
	mu sync.Mutex
	to io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

func (s *seat) do(ctx context.Context, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch {
	case line == "":
		return nil
	case strings.HasPrefix(word, "/"):
		_, err := s.w.Slack.Command(ctx, s.user.ID, s.channel.ID, word, rest)
		return err
	case word == "as" && len(words) == 1:
		for _, u := range []slacktest.User{s.w.Member, s.w.Second, s.w.Outside, s.w.Unknown} {
			if u.Name == strings.TrimPrefix(words[0], "@") {
				s.user = u
				return nil
			}
		}
		return fmt.Errorf("nobody here is called %s", words[0])
	case word == "in" && len(words) == 1:
		for _, c := range []slacktest.Channel{s.w.Log, s.w.General} {
			if c.Name == strings.TrimPrefix(words[0], "#") {
				s.channel = c
				return nil
			}
		}
		return fmt.Errorf("there is no channel %s", words[0])
	case word == "buttons":
		for i, b := range s.buttons() {
			fmt.Fprintf(s.out, "%3d [ %s ] in #%s\n", i+1, b.Text, s.w.Log.Name)
		}
		return nil
	case word == "click":
		return s.click(ctx, words)
	case (word == "join" || word == "leave") && len(words) == 2:
		if s.w.GitHub.Direct()[words[1]] == nil {
			return fmt.Errorf("GitHub has no team %s with members", words[1])
		}
		if word == "join" {
			s.w.GitHub.AddMember(words[1], words[0])
		} else {
			s.w.GitHub.RemoveMember(words[1], words[0])
		}
		return nil
	case word == "teams":
		var lines []string
		for slug, members := range s.w.GitHub.Teams() {
			lines = append(lines, fmt.Sprintf("%-28s %s", slug, strings.Join(members, " ")))
		}
		sort.Strings(lines)
		fmt.Fprintln(s.out, strings.Join(lines, "\n"))
		return nil
	case word == "misbehave" && len(words) == 1:
		return s.misbehave(words[0])
	case word == "show":
		return s.w.Slack.Transcript(s.out)
	default:
		fmt.Fprint(s.out, usage)
		return nil
	}
}

// button is a button and the message it is in.
type button struct {
	slacktest.Button
	ts string
}

// buttons are all that can be pressed, the oldest first.
func (s *seat) buttons() []button {
	var all []button
	for _, card := range s.w.Slack.Messages(s.w.Log.ID) {
		for _, m := range append([]slacktest.Message{card}, s.w.Slack.Thread(s.w.Log.ID, card.TS)...) {
			for _, b := range m.Buttons() {
				all = append(all, button{b, m.TS})
			}
		}
	}
	return all
}

func (s *seat) click(ctx context.Context, words []string) error {
	all := s.buttons()
	n := len(all)
	if len(words) == 1 {
		var err error
		if n, err = strconv.Atoi(words[0]); err != nil {
			return fmt.Errorf("%q is not a number", words[0])
		}
	}
	if n < 1 || n > len(all) {
		return fmt.Errorf("there is no such button; \"buttons\" lists %d", len(all))
	}
	_, err := s.w.Slack.Click(ctx, s.user.ID, s.w.Log.ID, all[n-1].ts, all[n-1].ActionID)
	return err
}

// misbehaviours are defects that the real function has.
func (s *seat) misbehave(how string) error {
	var faults awstest.SyncFaults
	switch how {
	case "none":
	case "silent":
		for slug, members := range s.w.GitHub.Teams() {
			for _, login := range members {
				faults.Drop = append(faults.Drop, login+" in "+slug)
			}
		}
	case "undefined":
		faults.BlindToNewUsers = true
	case "rejection":
		for slug, members := range s.w.GitHub.Teams() {
			for _, login := range members {
				faults.Reject = append(faults.Reject, login+" in "+slug)
			}
		}
	case "empty":
		faults.EmptyGitHub = true
	case "throttled":
		faults.CrashAfter = 1
	case "timeout":
		faults.TimeOutAfter = 1
	case "no-report":
		faults.NoReport = true
	default:
		return fmt.Errorf("it can't be %s; it can be silent, undefined, rejection, empty, throttled, timeout or no-report", how)
	}
	s.w.Sync.Update(func(f *awstest.SyncFunction) { f.Faults = faults })
	fmt.Fprintln(s.out, "So be it; something must differ for the sync to show it: try join or leave first.")
	return nil
}
