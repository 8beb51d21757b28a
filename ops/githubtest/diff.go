package githubtest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// change is what happened to one file between two trees.
type change struct {
	path, previous string // previous: where a renamed file was
	status         string // added, removed, modified or renamed
	before, after  entry
}

// changes are those from one tree to another, by path. A file that went while the same content came is a renaming.
func (o objects) changes(before, after string) []change {
	old, now := o.listing(before), o.listing(after)
	var list []change
	gone := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(old)) {
		if _, stays := now[path]; !stays {
			gone[old[path].sha] = path
		}
	}
	for path, e := range now {
		was, there := old[path]
		switch {
		case !there && gone[e.sha] != "":
			list = append(list, change{path: path, previous: gone[e.sha], status: "renamed", before: e, after: e})
			delete(old, gone[e.sha])
			delete(gone, e.sha)
		case !there:
			list = append(list, change{path: path, status: "added", after: e})
		case was != e:
			list = append(list, change{path: path, status: "modified", before: was, after: e})
		}
	}
	for path, e := range old {
		if _, stays := now[path]; !stays {
			list = append(list, change{path: path, status: "removed", before: e})
		}
	}
	slices.SortFunc(list, func(a, b change) int { return strings.Compare(a.path, b.path) })
	return list
}

// merge is what two trees make that began as one, and the paths that both changed, each in its own way. Files are taken
// whole: where git would find that two changes to one file don't touch, this is a conflict.
func (o objects) merge(base, ours, theirs string) (merged listing, conflicts []string) {
	merged = o.listing(ours)
	was, now := o.listing(base), o.listing(theirs)
	paths := maps.Clone(was)
	maps.Copy(paths, now)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		switch theirs := now[path]; {
		case theirs == was[path], theirs == merged[path]:
		case merged[path] != was[path]:
			conflicts = append(conflicts, path)
		case theirs == entry{}:
			delete(merged, path)
		default:
			merged[path] = theirs
		}
	}
	return merged, conflicts
}

// json is the change as lists of files have it; sha is the commit that has the file.
// https://docs.github.com/en/rest/commits/commits#get-a-commit
func (c change) json(s *Server, in *repository, sha string) map[string]any {
	before, _ := in.objects.get("blob", c.before.sha)
	after, _ := in.objects.get("blob", c.after.sha)
	blob := c.after.sha
	if blob == "" {
		blob = c.before.sha
	}
	patch, added, removed := unified(before, after)
	m := map[string]any{
		"sha":          blob,
		"filename":     c.path,
		"status":       c.status,
		"additions":    added,
		"deletions":    removed,
		"changes":      added + removed,
		"blob_url":     in.html() + "/blob/" + sha + "/" + c.path,
		"raw_url":      in.html() + "/raw/" + sha + "/" + c.path,
		"contents_url": in.api(s) + "/contents/" + c.path + "?ref=" + sha,
	}
	if patch != "" {
		m["patch"] = patch
	}
	if c.previous != "" {
		m["previous_filename"] = c.previous
	}
	return m
}

const (
	around      = 3       // lines around a change
	largestDiff = 4 << 20 // comparisons of one line with another; beyond, all is taken for changed
)

// line is one of a difference: kept (' '), removed ('-') or added ('+').
type line struct {
	mark byte
	text string
}

// unified is the difference of two files in hunks, as in the "patch" of GitHub's answers (no header, no newline at the
// end), and how many lines it adds and removes. Files that aren't text have none.
func unified(before, after []byte) (patch string, added, removed int) {
	if bytes.IndexByte(before, 0) >= 0 || bytes.IndexByte(after, 0) >= 0 {
		return "", 0, 0
	}
	all := difference(linesOf(before), linesOf(after))
	var b strings.Builder
	old, now := 1, 1 // the line numbers at i
	for i := 0; i < len(all); {
		if all[i].mark == ' ' {
			i, old, now = i+1, old+1, now+1
			continue
		}
		from := max(0, i-around)
		to, kept := i, 0
		for ; to < len(all) && kept <= 2*around; to++ {
			kept++
			if all[to].mark != ' ' {
				kept = 0
			}
		}
		to -= max(0, kept-around)
		oldAt, nowAt, oldCount, nowCount := old-(i-from), now-(i-from), 0, 0
		var body strings.Builder
		for _, l := range all[from:to] {
			switch l.mark {
			case '-':
				oldCount, removed = oldCount+1, removed+1
			case '+':
				nowCount, added = nowCount+1, added+1
			default:
				oldCount, nowCount = oldCount+1, nowCount+1
			}
			body.WriteByte(l.mark)
			body.WriteString(l.text)
			if !strings.HasSuffix(l.text, "\n") {
				body.WriteString("\n\\ No newline at end of file\n")
			}
		}
		fmt.Fprintf(&b, "@@ -%s +%s @@\n%s", span(oldAt, oldCount), span(nowAt, nowCount), body.String())
		old, now, i = oldAt+oldCount, nowAt+nowCount, to
	}
	return strings.TrimSuffix(b.String(), "\n"), added, removed
}

// span is a hunk's place in one of the files; an empty one is said to be after the line before it.
func span(at, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", at-1)
	case 1:
		return fmt.Sprint(at)
	}
	return fmt.Sprintf("%d,%d", at, count)
}

// linesOf splits a file after each newline.
func linesOf(data []byte) []string {
	list := strings.SplitAfter(string(data), "\n")
	return list[:len(list)-1+min(1, len(list[len(list)-1]))]
}

// difference is the shortest way from one list of lines to the other.
func difference(before, after []string) []line {
	var start, end []line
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		start = append(start, line{' ', before[0]})
		before, after = before[1:], after[1:]
	}
	for n, m := len(before), len(after); n > 0 && m > 0 && before[n-1] == after[m-1]; n, m = n-1, m-1 {
		end = append(end, line{' ', before[n-1]})
		before, after = before[:n-1], after[:m-1]
	}
	slices.Reverse(end)
	return slices.Concat(start, middle(before, after), end)
}

// middle is difference by the longest common subsequence.
func middle(before, after []string) []line {
	var list []line
	n, m := len(before), len(after)
	i, j := 0, 0
	if n*m <= largestDiff {
		longest := make([][]int32, n+1)
		for i := range longest {
			longest[i] = make([]int32, m+1)
		}
		for i := n - 1; i >= 0; i-- {
			for j := m - 1; j >= 0; j-- {
				if longest[i][j] = max(longest[i+1][j], longest[i][j+1]); before[i] == after[j] {
					longest[i][j] = longest[i+1][j+1] + 1
				}
			}
		}
		for i < n && j < m {
			switch {
			case before[i] == after[j]:
				list = append(list, line{' ', before[i]})
				i, j = i+1, j+1
			case longest[i+1][j] >= longest[i][j+1]:
				list = append(list, line{'-', before[i]})
				i++
			default:
				list = append(list, line{'+', after[j]})
				j++
			}
		}
	}
	for ; i < n; i++ {
		list = append(list, line{'-', before[i]})
	}
	for ; j < m; j++ {
		list = append(list, line{'+', after[j]})
	}
	return list
}
