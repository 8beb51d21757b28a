package chaos_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// outcome is what is left of an operation when all is over, without what is
// another one in each run: times and IDs.
type outcome struct {
	Center  awstest.Snapshot // Identity Center
	Users   []string         // of the base account's IAM
	Invoked int              // how often the function was
	Pulls   []string
	Cards   map[string][]string // what stands at the top level of a channel
	Lines   map[string][]string // what stands in the threads there, one after the other
}

func (s *scene) outcome() outcome {
	o := outcome{
		Center: s.Store.Snapshot(), Users: s.IAM.Users(), Invoked: len(s.AWS.Invocations(worldtest.Function)),
		Cards: map[string][]string{}, Lines: map[string][]string{},
	}
	for _, p := range s.GitHub.Pulls(worldtest.UsersRepo) {
		o.Pulls = append(o.Pulls, fmt.Sprintf("%s %v %d", p.Title, p.Merged, len(p.Files)))
	}
	for _, channel := range []slacktest.Channel{s.Log, s.Desk, s.General} {
		for _, card := range s.Slack.Messages(channel.ID) {
			o.Cards[channel.Name] = append(o.Cards[channel.Name], lines(card)...)
			var read []string // where in the log it stands is chance
			for _, m := range s.Slack.Thread(channel.ID, card.TS) {
				if said := lines(m); strings.Contains(m.Text, "Reading: ") {
					read = append(read, said...)
				} else {
					o.Lines[channel.Name] = append(o.Lines[channel.Name], said...)
				}
			}
			o.Lines[channel.Name] = append(o.Lines[channel.Name], read...)
		}
	}
	for _, who := range []slacktest.User{s.Member, s.Second} {
		for _, m := range s.Slack.Direct(who.ID) {
			o.Cards["@"+who.Name] = append(o.Cards["@"+who.Name], lines(m)...)
		}
	}
	return o
}

var chance = []struct {
	found *regexp.Regexp
	put   string
}{
	{regexp.MustCompile(`\d+:[0-9a-f]{64}`), "*"}, // the record tells of each start
	{regexp.MustCompile(`Duration: [\d.]+ ms`), "Duration: * ms"},
	{regexp.MustCompile(`\d\d:\d\d(:\d\d)?`), "*"},
	{regexp.MustCompile(`\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)( \d{4})?`), "*"},
	{regexp.MustCompile(`[0-9a-f]{8,}(-[0-9a-f]{4,})*`), "*"},
	{regexp.MustCompile(`[A-Z]+[0-9A-F]{12,}`), "*"},
	{regexp.MustCompile(`\?thread_ts=[\d.]+&cid=\w+|/p\d{16}`), "*"},
}

// lines are what a message says, without what chance made of it. Where a log is
// cut into messages is chance too.
func lines(m slacktest.Message) []string {
	text := m.PlainText()
	for _, c := range chance {
		text = c.found.ReplaceAllString(text, c.put)
	}
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		// What the dead one was calling is told besides.
		return line == "```" || strings.Contains(line, "The bot was stopped while it called")
	})
}

// whole wants what must hold wherever the bot was killed: one card, one result,
// and nothing said twice.
func (s *scene) whole() {
	s.Helper()
	count := 0
	for _, channel := range []slacktest.Channel{s.Log, s.Desk} {
		for _, card := range s.Slack.Messages(channel.ID) {
			count += len(results(s, card))
			seen := map[string]bool{}
			for _, m := range s.Slack.Thread(channel.ID, card.TS) {
				if text := m.PlainText(); seen[text] {
					s.Errorf("this is said twice:\n%s", text)
				} else {
					seen[text] = true
				}
			}
		}
		if n := len(s.Slack.Messages(channel.ID)); n > 1 {
			s.Errorf("there are %d cards in #%s", n, channel.Name)
		}
	}
	if count != 1 {
		s.Errorf("there are %d results", count)
	}
}

// without is the outcome where n calls of AWS were carried out by a bot that
// died before it could say so: as many lines of the log that got hasn't either
// may be missing.
func (o outcome) without(got outcome, n int) outcome {
	all := map[string][]string{}
	for channel, want := range o.Lines {
		there := got.Lines[channel]
		for _, line := range want {
			switch {
			case len(there) > 0 && there[0] == line:
				there = there[1:]
			case n > 0 && (strings.HasPrefix(line, "*Z › ") || strings.Contains(line, "Lambda took the call")):
				n--
				continue
			}
			all[channel] = append(all[channel], line)
		}
	}
	o.Lines = all
	return o
}

// noting is how long a bot may take to note an answer of AWS's.
const noting = 500 * time.Millisecond

// untold is how many calls of AWS the bot may have died over before it could
// write of them into the log: those without an answer, and the last one that has
// one.
func (s *scene) untold() int {
	n := len(s.unanswered())
	for _, c := range s.relay.made() {
		if (strings.HasPrefix(c.name, "iam ") && c.writes || c.name == invoking) && !c.answered.IsZero() && c.answered.Before(s.diedAt) && s.diedAt.Sub(c.answered) < noting {
			return n + 1
		}
	}
	return n
}

// doubt says whether the bot died when it may have been calling Lambda: it can't
// know whether the call was taken, and must not call again. That is so where the
// call was held, and may be so where another was held meanwhile.
func (s *scene) doubt() bool {
	if s.victim.name == invoking {
		return true
	}
	if !strings.Contains(s.corpse.Err.String(), `"msg":"request step-begun"`) {
		return false
	}
	for _, c := range s.relay.made() {
		if c.name == invoking && (c.replica != s.victim.replica || c.at.After(s.diedAt) || !c.answered.IsZero() && s.diedAt.Sub(c.answered) > noting) {
			return false
		}
	}
	return len(s.unknown()) > 0
}

const invoking = "lambda Invoke"

// unknown are the messages that tell that it isn't known what became of a call.
func (s *scene) unknown() []string {
	var all []string
	for _, card := range s.Slack.Messages(s.Log.ID) {
		for _, m := range append(results(s, card), card) {
			if text := m.PlainText(); strings.Contains(text, "*Not known*") {
				all = append(all, text)
			}
		}
	}
	return all
}

// doubtful wants what must hold when it can't be known whether Lambda took the
// call: people are told so, on the card and as the result, and it isn't called
// again.
func (s *scene) doubtful() {
	s.Helper()
	n := len(s.AWS.Invocations(worldtest.Function))
	if n > 1 || s.victim.name == invoking && (n == 1) != s.relay.kill.after {
		s.Errorf("the function was invoked %d times", n)
	}
	made := 0
	for _, c := range s.relay.made() {
		if c.name == invoking {
			made++
		}
	}
	if made > 1 {
		s.Errorf("the function was called %d times", made)
	}
	if said := s.unknown(); len(said) != 2 {
		s.Errorf("it isn't known what became of the call, and people read that %d times: %q", len(said), said)
	}
}
