package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const usage = `Type as in Slack, or:
  /scim-sync …           a command, as the bot offers it; /rootbot lists them
  as <name>              be somebody else: otter, badger, stoat (in the team), magpie (not), fox (unknown)
  in <channel>           go to another channel: aws-root-account, reliability-eng, general
  fill <field> <value>   fill in a field of the form that is open: fill reason has left; fill confirmed yes ticks
                         everything; where there is something to choose, the first that is found is taken
  submit · cancel        send the form, or close it
  click [n]              press the newest button, or the n-th of those that "buttons" lists
  buttons                list what can be pressed
  join <login> <team>    somebody joins a team on GitHub
  leave <login> <team>   somebody leaves a team on GitHub
  teams                  GitHub's teams
  code <code> [login]    type a code of /rootbot link at GitHub, signed in as that login or as yourself
  merge                  merge the newest pull request, which Terraform then applies
  misbehave <how>        from now on the sync function is as bad as the real one can be: silent, undefined,
                         rejection, empty, throttled, timeout, no-report; "none" mends it
  show                   everything that has been said
  help · quit
`

// seat is who somebody at the prompt is, where, and what they have filled in.
type seat struct {
	w       *worldtest.World
	out     io.Writer
	user    slacktest.User
	channel slacktest.Channel
	form    string // ID of the form that values were filled in for
	values  map[string]slacktest.Value
}

// prompt reads lines until "quit", the end of the input, or ctx's end, and shows
// what changes in Slack as it changes.
func prompt(ctx context.Context, w *worldtest.World, bot *running, in io.Reader, out io.Writer) error {
	locked := &writer{to: out}
	s := &seat{w: w, out: locked, user: w.Member, channel: w.Log, values: map[string]slacktest.Value{}}
	fmt.Fprint(locked, "\n", usage)
	events, cancel := w.Slack.Subscribe()
	defer cancel()
	go func() {
		for e := range events {
			switch e.Kind {
			case slacktest.Posted, slacktest.Edited, slacktest.Ephemeral:
				fmt.Fprintf(locked, "\n%s\n%s", where(w, e.Message), w.Slack.Render(e.Message))
			case slacktest.Viewed:
				fmt.Fprint(locked, "\n", w.Slack.RenderView(e.View))
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

// where says in which channel, and whether in a thread, a message is.
func where(w *worldtest.World, m slacktest.Message) string {
	name := "direct message"
	for _, c := range w.Slack.Channels() {
		if c.ID == m.Channel {
			name = "#" + c.Name
		}
	}
	if m.ThreadTS != "" {
		name += ", thread"
	}
	return "— " + name
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
		for _, u := range []slacktest.User{s.w.Member, s.w.Second, s.w.Third, s.w.Outside, s.w.Unknown} {
			if u.Name == strings.TrimPrefix(words[0], "@") {
				s.user = u
				s.at("")
				return nil
			}
		}
		return fmt.Errorf("nobody here is called %s", words[0])
	case word == "in" && len(words) == 1:
		for _, c := range []slacktest.Channel{s.w.Log, s.w.Desk, s.w.General} {
			if c.Name == strings.TrimPrefix(words[0], "#") {
				s.channel = c
				return nil
			}
		}
		return fmt.Errorf("there is no channel %s", words[0])
	case word == "buttons":
		for i, b := range s.buttons() {
			fmt.Fprintf(s.out, "%3d [ %s ] in #%s\n", i+1, b.Text, b.channel.Name)
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
	case word == "fill" && len(words) >= 2:
		return s.fill(ctx, words[0], strings.Join(words[1:], " "))
	case word == "submit":
		return s.submit(ctx)
	case word == "cancel":
		return s.cancel(ctx)
	case word == "merge":
		return s.merge()
	case word == "code" && (len(words) == 1 || len(words) == 2):
		login := s.user.Name
		if len(words) == 2 {
			login = words[1]
		}
		return s.code(words[0], login)
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

// at is at a form, or at none: the values typed for another are forgotten.
func (s *seat) at(form string) {
	if s.form != form {
		clear(s.values)
	}
	s.form = form
}

// top is the form that is open.
func (s *seat) top() (slacktest.View, error) {
	views := s.w.Slack.Views(s.user.ID)
	if len(views) == 0 {
		return slacktest.View{}, errors.New("no form is open for @" + s.user.Name)
	}
	top := views[len(views)-1]
	s.at(top.ID)
	return top, nil
}

// fill fills in a field of the form that is open, each kind in its own way.
func (s *seat) fill(ctx context.Context, field, value string) error {
	top, err := s.top()
	if err != nil {
		return err
	}
	var blocks []struct {
		Element struct {
			Type     string `json:"type"`
			ActionID string `json:"action_id"`
			Options  []struct {
				Value string `json:"value"`
			} `json:"options"`
		} `json:"element"`
	}
	if err := json.Unmarshal(top.Blocks, &blocks); err != nil {
		return fmt.Errorf("read the form: %w", err)
	}
	for _, b := range blocks {
		switch e := b.Element; {
		case e.ActionID != field:
		case e.Type == "checkboxes" && value == "yes":
			var all []string
			for _, o := range e.Options {
				all = append(all, o.Value)
			}
			s.values[field] = slacktest.Pick(all...)
			return nil
		case e.Type == "external_select":
			ack, err := s.w.Slack.Suggest(ctx, s.user.ID, top.ID, field, value)
			if err != nil {
				return err
			}
			for i, o := range ack.Options {
				fmt.Fprintf(s.out, "  %s %s\n", map[bool]string{true: ">", false: " "}[i == 0], o.Text)
			}
			if len(ack.Options) == 0 {
				return errors.New("nothing was found")
			}
			s.values[field] = slacktest.Pick(ack.Options[0].Value)
			return nil
		}
	}
	s.values[field] = slacktest.Text(value)
	return nil
}

// submit sends the form that is open.
func (s *seat) submit(ctx context.Context) error {
	top, err := s.top()
	if err != nil {
		return err
	}
	ack, err := s.w.Slack.Submit(ctx, s.user.ID, top.ID, s.values)
	for field, wrong := range ack.Errors {
		fmt.Fprintf(s.out, "  %s: %s\n", field, wrong)
	}
	if err == nil && len(ack.Errors) == 0 {
		s.at("")
	}
	return err
}

// cancel closes the form that is open.
func (s *seat) cancel(ctx context.Context) error {
	top, err := s.top()
	if err != nil {
		return err
	}
	s.at("")
	_, err = s.w.Slack.CloseView(ctx, s.user.ID, top.ID)
	return err
}

// code types a code at GitHub.
func (s *seat) code(code, login string) error {
	if !slices.ContainsFunc(s.w.GitHub.Codes(), func(c githubtest.Code) bool { return c.UserCode == code }) {
		return fmt.Errorf("GitHub waits for no code %s", code)
	}
	return s.w.GitHub.Authorize(code, login)
}

// merge merges the newest open pull request.
func (s *seat) merge() error {
	pulls := s.w.GitHub.Pulls(worldtest.UsersRepo)
	for i := len(pulls) - 1; i >= 0; i-- {
		if pulls[i].State == "open" {
			fmt.Fprintf(s.out, "Merging #%d, %q.\n", pulls[i].Number, pulls[i].Title)
			return s.w.GitHub.Merge(worldtest.UsersRepo, pulls[i].Number, s.user.Name)
		}
	}
	return errors.New("no pull request is open")
}

// button is a button and the message it is in.
type button struct {
	slacktest.Button
	ts      string
	channel slacktest.Channel
}

// buttons are all that can be pressed, the oldest of each channel first.
func (s *seat) buttons() []button {
	var all []button
	for _, channel := range []slacktest.Channel{s.w.Log, s.w.Desk} {
		for _, card := range s.w.Slack.Messages(channel.ID) {
			for _, m := range append([]slacktest.Message{card}, s.w.Slack.Thread(channel.ID, card.TS)...) {
				for _, b := range m.Buttons() {
					all = append(all, button{b, m.TS, channel})
				}
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
	_, err := s.w.Slack.Click(ctx, s.user.ID, all[n-1].channel.ID, all[n-1].ts, all[n-1].ActionID)
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
