package githubtest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RepositoryOptions say what AddRepository makes. The zero value is a private repository with the branch "main" and a
// README.md.
type RepositoryOptions struct {
	// DefaultBranch is the first branch. Empty: "main".
	DefaultBranch string
	// Files are what its first commit holds, by path. nil: a README.md. (A repository without a commit isn't modelled.)
	Files map[string]string
	// Public: anyone may read it, whatever their token may.
	Public bool
	// OnMerge, if given, is called after every merge of a pull request (by a person, through the API, or by a push
	// that brought its commits into the base branch): a test may play `terraform apply` there. The merge's own answer
	// waits until it returns; it may call every method of the Server but Close.
	OnMerge func(Pull)
}

type repository struct {
	id            int64
	owner, name   string
	created       time.Time
	public        bool
	defaultBranch string
	onMerge       func(Pull)
	objects       objects
	refs          map[string]string // by full name: refs/heads/…, refs/tags/…, refs/pull/…
	renamed       map[string]string // what branches are called that had another name, by that
	collaborators map[*user]string
	pulls         []*pull // number 1 first
}

var (
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	ranks          = map[string]int{"read": 1, "write": 2, "admin": 3}
)

// AddRepository makes a repository, "owner/name", with one commit. The organisation's members may read it, its owners
// may do everything, others and more come by AddCollaborator. One whose owner isn't the organisation belongs to a person
// of that login, and no App sees it: an installation has the repositories of one account. A name that is taken, or that
// GitHub wouldn't have, panics.
// https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/setting-base-permissions-for-an-organization
func (s *Server) AddRepository(fullName string, options RepositoryOptions) (id int64) {
	s.edit(func() {
		owner, name, _ := strings.Cut(fullName, "/")
		if !repositoryForm.MatchString(name) {
			panic(fmt.Sprintf("githubtest: AddRepository: %q isn't owner/name", fullName))
		}
		if s.repositories[strings.ToLower(fullName)] != nil {
			panic(fmt.Sprintf("githubtest: AddRepository: %s is there already", fullName))
		}
		repo := &repository{
			owner: s.org.login, name: name, created: s.options.Now(), public: options.Public, onMerge: options.OnMerge,
			defaultBranch: cmp.Or(options.DefaultBranch, "main"), objects: objects{}, refs: map[string]string{}, renamed: map[string]string{},
			collaborators: map[*user]string{},
		}
		if !strings.EqualFold(owner, s.org.login) {
			u := s.ensureUser(owner)
			repo.owner, repo.collaborators[u] = u.login, "admin"
		}
		files := options.Files
		if files == nil {
			files = map[string]string{"README.md": "# " + name + "\n"}
		}
		repo.id = s.nextID()
		repo.commitFiles("AddRepository", repo.defaultBranch, files, nil, "Initial commit", somebody(s.options.Now()))
		s.repositories[strings.ToLower(fullName)] = repo
		id = repo.id
	})
	return id
}

// AddCollaborator gives a login the permission "read", "write" or "admin" in a repository, whatever else they may; ""
// takes it away again. It panics on any other and where there's no such repository.
// https://docs.github.com/en/rest/collaborators/collaborators#add-a-repository-collaborator
func (s *Server) AddCollaborator(repo, login, permission string) {
	s.edit(func() {
		if ranks[permission] == 0 && permission != "" {
			panic(fmt.Sprintf("githubtest: AddCollaborator: no permission %q", permission))
		}
		s.repository("AddCollaborator", repo).collaborators[s.ensureUser(login)] = permission
	})
}

// Commit is somebody pushing a commit to a branch: the files are written, those named at the end removed, the rest
// stays. A branch that isn't there begins at the default branch. It returns the commit's SHA and panics where there's no
// such repository or no such file to remove.
func (s *Server) Commit(repo, branch string, files map[string]string, message string, remove ...string) (sha string) {
	s.edit(func() {
		in := s.repository("Commit", repo)
		sha = in.commitFiles("Commit", branch, files, remove, message, somebody(s.options.Now()))
		s.moved(in, branch, ghost())
	})
	return sha
}

// Link is a person pushing a commit with a symbolic link to a branch that is there.
func (s *Server) Link(repo, branch, file, target string) {
	s.edit(func() {
		in := s.repository("Link", repo)
		tip := in.tip(branch)
		files := in.objects.listing(in.objects.commit(tip).tree)
		files.set(file, entry{mode: modeLink, sha: in.objects.put("blob", []byte(target))})
		by := somebody(s.options.Now())
		in.refs[heads+branch] = in.objects.putCommit(commit{author: by, committer: by, message: "Link " + file, parents: []string{tip}, tree: in.objects.putTree(files)})
		s.moved(in, branch, ghost())
	})
}

// AddBranch makes a branch at the default branch's head; one that is there already stays where it is.
func (s *Server) AddBranch(repo, branch string) {
	s.edit(func() {
		in := s.repository("AddBranch", repo)
		if in.tip(branch) == "" {
			in.refs[heads+branch] = in.tip(in.defaultBranch)
		}
	})
}

// DeleteBranch deletes a branch, and closes the pull requests from and to it; one that isn't there is no error.
func (s *Server) DeleteBranch(repo, branch string) {
	s.edit(func() {
		in := s.repository("DeleteBranch", repo)
		delete(in.refs, heads+branch)
		s.moved(in, branch, ghost())
	})
}

// RenameBranch gives a branch another name: pull requests go on from and to it, the default branch stays it, and only
// the address of the branch itself leads from the old name to the new one. It panics where there's no such branch, or
// one of the new name.
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-branches-in-your-repository/renaming-a-branch
func (s *Server) RenameBranch(repo, from, to string) {
	s.edit(func() {
		in := s.repository("RenameBranch", repo)
		if in.tip(from) == "" || in.tip(to) != "" {
			panic(fmt.Sprintf("githubtest: RenameBranch: %s can't become %s", from, to))
		}
		in.refs[heads+to] = in.tip(from)
		delete(in.refs, heads+from)
		in.renamed[from] = to
		delete(in.renamed, to)
		if in.defaultBranch == from {
			in.defaultBranch = to
		}
		for _, p := range in.pulls {
			if p.open && p.base == from {
				p.base = to
			}
			if p.open && p.head == from {
				p.head = to
			}
		}
	})
}

// File is a file as it is at a branch's head (or at a tag or commit); false where there's none.
func (s *Server) File(repo, branch, path string) (content string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.repository("File", repo)
	c := in.objects.commit(in.resolve(branch))
	if c == nil {
		return "", false
	}
	e, _ := in.objects.at(c.tree, path)
	data, ok := in.objects.get("blob", e.sha)
	return string(data), ok
}

// Branches lists a repository's branches, sorted.
func (s *Server) Branches(repo string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repository("Branches", repo).branches()
}

// repository is the one of that full name; it panics in the name of the method where there's none. The caller holds mu.
func (s *Server) repository(method, fullName string) *repository {
	repo := s.repositories[strings.ToLower(fullName)]
	if repo == nil {
		panic(fmt.Sprintf("githubtest: %s: no repository %q", method, fullName))
	}
	return repo
}

// somebody is the author of what nobody in particular did.
func somebody(now time.Time) signature {
	return signature{name: "Somebody", email: "somebody@example.com", at: now.UTC()}
}

// ghost is the user behind what nobody in particular did, as on GitHub behind what somebody did who left it.
func ghost() *user { return &user{id: 10137, login: "ghost"} }

func (in *repository) fullName() string { return in.owner + "/" + in.name }

// api is the repository's address in the API.
func (in *repository) api(s *Server) string { return s.url + "repos/" + in.fullName() }

// numeric is the path that GitHub's Link headers have instead.
func (in *repository) numeric(below string) string {
	return fmt.Sprintf("repositories/%d/%s", in.id, below)
}

func (in *repository) html() string { return "https://github.com/" + in.fullName() }

// commitFiles adds a commit to a branch, by hand.
func (in *repository) commitFiles(method, branch string, files map[string]string, remove []string, message string, by signature) string {
	c := commit{author: by, committer: by, message: message}
	all := listing{}
	if tip := cmp.Or(in.tip(branch), in.tip(in.defaultBranch)); tip != "" {
		c.parents = []string{tip}
		all = in.objects.listing(in.objects.commit(tip).tree)
	}
	for path, content := range files {
		if bad := badPath(path); bad != "" {
			panic(fmt.Sprintf("githubtest: %s: path %q %s", method, path, bad))
		}
		all.set(path, entry{mode: modeFile, sha: in.objects.put("blob", []byte(content))})
	}
	for _, path := range remove {
		if !all.remove(path) {
			panic(fmt.Sprintf("githubtest: %s: no file %q to remove from %s", method, path, branch))
		}
	}
	c.tree = in.objects.putTree(all)
	sha := in.objects.putCommit(c)
	in.refs[heads+branch] = sha
	return sha
}

// roleIn is what a person may do in the repository: read, write, admin or, empty, nothing.
func (s *Server) roleIn(in *repository, u *user) string {
	role := in.collaborators[u]
	if m := s.org.members[u]; m != nil && !m.pending && in.owner == s.org.login {
		if m.owner {
			return "admin"
		}
		role = cmp.Or(role, "read")
	}
	if in.public {
		role = cmp.Or(role, "read")
	}
	return role
}

// repositoryOf is the one that a path names, by name or number; nil where there's none.
func (s *Server) repositoryOf(parameters map[string]string) *repository {
	if id := parameters["repo_id"]; id != "" {
		for _, in := range s.repositories {
			if id == strconv.FormatInt(in.id, 10) {
				return in
			}
		}
		return nil
	}
	return s.repositories[strings.ToLower(parameters["owner"]+"/"+parameters["repo"])]
}

// ownerOf is the repository's owner as other objects have it.
func (s *Server) ownerOf(in *repository) map[string]any {
	if in.owner != s.org.login {
		if u := s.users[strings.ToLower(in.owner)]; u != nil {
			return u.simple(s)
		}
	}
	m := (&user{id: s.org.id, login: s.org.login}).simple(s)
	m["type"], m["node_id"] = "Organization", node("Organization", s.org.id)
	return m
}

// simple is the repository as other objects have it.
func (in *repository) simple(s *Server) map[string]any {
	visibility := "private"
	if in.public {
		visibility = "public"
	}
	return map[string]any{
		"id":             in.id,
		"node_id":        node("Repository", in.id),
		"name":           in.name,
		"full_name":      in.fullName(),
		"private":        !in.public,
		"visibility":     visibility,
		"owner":          s.ownerOf(in),
		"html_url":       in.html(),
		"description":    nil,
		"fork":           false,
		"archived":       false,
		"disabled":       false,
		"url":            in.api(s),
		"branches_url":   in.api(s) + "/branches{/branch}",
		"commits_url":    in.api(s) + "/commits{/sha}",
		"contents_url":   in.api(s) + "/contents/{+path}",
		"pulls_url":      in.api(s) + "/pulls{/number}",
		"default_branch": in.defaultBranch,
		"created_at":     stamp(in.created),
		"updated_at":     stamp(in.created),
		"pushed_at":      stamp(in.created),
	}
}

func getRepository(s *Server, r *request) answer {
	in := r.repository
	m := in.simple(s)
	role := 0
	if r.who.user != nil {
		role = ranks[s.roleIn(in, r.who.user)]
	}
	m["permissions"] = map[string]bool{"admin": role >= 3, "maintain": role >= 3, "push": role >= 2, "triage": role >= 2, "pull": role >= 1}
	m["allow_merge_commit"], m["allow_squash_merge"], m["allow_rebase_merge"] = true, true, false
	m["delete_branch_on_merge"], m["allow_auto_merge"] = false, false
	if in.owner == s.org.login {
		m["organization"] = s.ownerOf(in)
	}
	return answer{status: http.StatusOK, body: m}
}

// branches is the names of the branches, sorted.
func (in *repository) branches() []string {
	list := []string{}
	for _, ref := range slices.Sorted(maps.Keys(in.refs)) {
		if name, ok := strings.CutPrefix(ref, heads); ok {
			list = append(list, name)
		}
	}
	return list
}
