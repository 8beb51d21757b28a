package githubtest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// webFlow is the committer of what GitHub itself commits.
const webFlowName, webFlowEmail = "GitHub", "noreply@github.com"

var noreply = regexp.MustCompile(`^[0-9]+\+(.+)@users\.noreply\.github\.com$`)

// person is an author or committer as a call gives it.
type person struct {
	Name  *string    `json:"name"`
	Email *string    `json:"email"`
	Date  *time.Time `json:"date"`
}

// or is what the call said where it said it, and the other one's where it didn't.
func (p *person) or(other signature) signature {
	if p == nil {
		return other
	}
	if p.Name != nil {
		other.name = *p.Name
	}
	if p.Email != nil {
		other.email = *p.Email
	}
	if p.Date != nil {
		other.at = *p.Date
	}
	return other
}

// complete reports whether a person that is given has both a name and an address, as GitHub demands.
func (p *person) complete() bool {
	return p == nil || p.Name != nil && *p.Name != "" && p.Email != nil && *p.Email != ""
}

// actor is the person or the bot behind a call.
func (s *Server) actor(who caller) *user {
	if who.user != nil {
		return who.user
	}
	return s.bot(who.app)
}

// bot is the user that an App acts as. Its ID isn't the App's.
func (s *Server) bot(app *App) *user {
	if app.bot == nil {
		app.bot = &user{id: s.nextID(), login: app.Slug + "[bot]", created: s.org.created, bot: true}
	}
	return app.bot
}

// signature is a user's, with the address that GitHub keeps for those who hide theirs.
func (s *Server) signature(u *user) signature {
	return signature{name: u.login, email: fmt.Sprintf("%d+%s@users.noreply.github.com", u.id, u.login), at: s.options.Now().UTC().Truncate(time.Second)}
}

// known is the user whose address a commit bears, as lists have them; nil where it's nobody's.
func (s *Server) known(by signature) any {
	login := noreply.FindStringSubmatch(by.email)
	if login == nil {
		return nil
	}
	if u := s.lookUp(login[1]); u != nil {
		return u.simple(s)
	}
	return nil
}

// lookUp is the user or the bot of that login; nil where there's none.
func (s *Server) lookUp(login string) *user {
	if u := s.users[strings.ToLower(login)]; u != nil {
		return u
	}
	for _, app := range s.apps {
		if strings.EqualFold(login, app.Slug+"[bot]") {
			return s.bot(app)
		}
	}
	return nil
}

func (in *repository) parents(s *Server, c *commit, below string) []map[string]any {
	list := []map[string]any{}
	for _, sha := range c.parents {
		list = append(list, map[string]any{"sha": sha, "url": in.api(s) + below + sha, "html_url": in.html() + "/commit/" + sha})
	}
	return list
}

func unverified() map[string]any {
	return map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

// gitCommit is a commit as git has it.
func (in *repository) gitCommit(s *Server, c *commit) map[string]any {
	return map[string]any{
		"sha":          c.sha,
		"node_id":      node("Commit", in.id) + c.sha,
		"url":          in.api(s) + "/git/commits/" + c.sha,
		"html_url":     in.html() + "/commit/" + c.sha,
		"author":       c.author.json(),
		"committer":    c.committer.json(),
		"tree":         map[string]any{"sha": c.tree, "url": in.api(s) + "/git/trees/" + c.tree},
		"message":      c.message,
		"parents":      in.parents(s, c, "/git/commits/"),
		"verification": unverified(),
	}
}

// fullCommit is a commit as GitHub has it: with the users behind the addresses.
func (in *repository) fullCommit(s *Server, c *commit) map[string]any {
	url := in.api(s) + "/commits/" + c.sha
	return map[string]any{
		"sha":     c.sha,
		"node_id": node("Commit", in.id) + c.sha,
		"commit": map[string]any{
			"author":        c.author.json(),
			"committer":     c.committer.json(),
			"message":       c.message,
			"tree":          map[string]any{"sha": c.tree, "url": in.api(s) + "/git/trees/" + c.tree},
			"url":           in.api(s) + "/git/commits/" + c.sha,
			"comment_count": 0,
			"verification":  unverified(),
		},
		"url":          url,
		"html_url":     in.html() + "/commit/" + c.sha,
		"comments_url": url + "/comments",
		"author":       s.known(c.author),
		"committer":    s.known(c.committer),
		"parents":      in.parents(s, c, "/commits/"),
	}
}

func getGitCommit(s *Server, r *request) answer {
	c := r.repository.objects.commit(r.parameters["sha"])
	if c == nil {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: r.repository.gitCommit(s, c)}
}

func createGitCommit(s *Server, r *request) answer {
	in := r.repository
	var asked struct {
		Message   *string  `json:"message"`
		Tree      *string  `json:"tree"`
		Parents   []string `json:"parents"`
		Author    *person  `json:"author"`
		Committer *person  `json:"committer"`
		Signature string   `json:"signature"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("message", asked.Message != nil, "tree", asked.Tree != nil); !ok {
		return bad
	}
	if asked.Signature != "" {
		s.problem("%s %s: githubtest doesn't know signed commits", r.Method, r.URL.Path)
		return r.unprocessable("Could not verify the signature.")
	}
	if !asked.Author.complete() || !asked.Committer.complete() {
		return r.unprocessable("Invalid request.\n\n\"name\", \"email\" weren't supplied.")
	}
	if _, ok := in.objects.get("tree", *asked.Tree); !ok {
		return r.unprocessable("Tree SHA does not exist")
	}
	for _, parent := range asked.Parents {
		if !wholeSHA.MatchString(parent) {
			return r.unprocessable("The parents parameter must be exactly 40 characters and contain only [0-9a-f].")
		}
		if in.objects.commit(parent) == nil {
			return r.unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	author := asked.Author.or(s.signature(s.actor(r.who)))
	committer := asked.Committer.or(author)
	if r.who.installed && asked.Author == nil && asked.Committer == nil {
		committer.name, committer.email = webFlowName, webFlowEmail
	}
	sha := in.objects.putCommit(commit{tree: *asked.Tree, parents: asked.Parents, author: author, committer: committer, message: *asked.Message})
	a := answer{status: http.StatusCreated, body: in.gitCommit(s, in.objects.commit(sha))}
	a.set("Location", in.api(s)+"/git/commits/"+sha)
	return a
}

// belowCommit are GitHub's endpoints whose paths look like a reference with slashes and that aren't known here.
var belowCommit = []string{"pulls", "status", "statuses", "comments", "check-runs", "check-suites", "branches-where-head"}

func getCommit(s *Server, r *request) answer {
	in, ref := r.repository, r.parameters["ref"]
	c := in.commitAt(ref)
	if c == nil {
		if name := ref[strings.LastIndex(ref, "/")+1:]; name != ref && slices.Contains(belowCommit, name) {
			return r.unknown(s)
		}
		return r.unprocessable("No commit found for SHA: " + ref)
	}
	if r.wants("sha") {
		return whole("sha", []byte(c.sha))
	}
	if r.wants("diff") || r.wants("patch") {
		return r.unknown(s)
	}
	before := ""
	if len(c.parents) > 0 {
		before = in.objects.commit(c.parents[0]).tree
	}
	var files []map[string]any
	added, removed := 0, 0
	for _, change := range in.objects.changes(before, c.tree) {
		m := change.json(s, in, c.sha)
		added, removed = added+m["additions"].(int), removed+m["deletions"].(int)
		files = append(files, m)
	}
	a := page(s, r, in.numeric("commits/"+c.sha), files)
	if query := r.URL.Query(); !query.Has("per_page") && !query.Has("page") {
		a = answer{status: http.StatusOK, body: append([]map[string]any{}, files[:min(len(files), 300)]...)}
	}
	m := in.fullCommit(s, c)
	m["files"] = a.body
	m["stats"] = map[string]any{"additions": added, "deletions": removed, "total": added + removed}
	a.body = m
	return a
}
