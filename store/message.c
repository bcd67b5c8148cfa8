/* SPDX-License-Identifier: ISC */
#include "store/directory_type.h"
#include "store/store_private.h"

#include <errno.h>

#define LISTED_MAX 72	/* bytes of paths in the first line of a message */

/* ---- paths as text ---- */

size_t utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 :
			*s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
	unsigned int c = *s & (0x7f >> length);

	if (length < 2)
		return length;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[length] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	return length;
}

static bool is_plain(const char *path, bool *ret_utf8)
{
	bool plain = true;
	const unsigned char *s = (const unsigned char *)path;

	*ret_utf8 = true;
	while (*s) {
		size_t length = utf8_length((const char *)s);

		if (*s < ' ' || *s == 0x7f || *s == '"' || *s == '\\')
			plain = false;
		/* U+0080 to U+009F are control characters too */
		if (length == 2 && s[0] == 0xc2 && s[1] < 0xa0)
			plain = false;
		if (!length)
			*ret_utf8 = plain = false;
		s += length ? length : 1;
	}
	return plain;
}

static int quote_byte(unsigned char c, bool utf8, struct buffer *ret)
{
	static const char escaped[] = "\a\b\t\n\v\f\r\"\\", as[] = "abtnvfr\"\\";
	const char *found = c ? strchr(escaped, c) : NULL;

	if (found)
		return buffer_printf(ret, "\\%c", as[found - escaped]);
	if (c < ' ' || c == 0x7f || (c >= 0x80 && !utf8))
		return buffer_printf(ret, "\\%03o", c);
	return buffer_append(ret, &c, 1);
}

/* As Git's core.quotePath=false, and whole in octal when it is not UTF-8. */
int quote_path(const char *path, struct buffer *ret)
{
	bool utf8;
	int r;

	if (is_plain(path, &utf8))
		return buffer_puts(ret, path);
	r = buffer_puts(ret, "\"");
	for (const char *p = path; !r && *p; p++) {
		bool c1 = (unsigned char)p[0] == 0xc2 &&
			  (unsigned char)p[1] < 0xa0;

		if (utf8 && c1) {
			r = buffer_printf(ret, "\\302\\%03o",
					  (unsigned char)p[1]);
			p++;
		} else {
			r = quote_byte(*p, utf8, ret);
		}
	}
	return r ? r : buffer_puts(ret, "\"");
}

/* ---- the sentence about a delta ---- */

struct listing {
	struct buffer paths;
	size_t count;
	bool full;		/* no more paths are listed */
	enum delta_kind kind;	/* of the first */
};

/* The end of a path that is too long, cut between characters. */
static const char *path_tail(const char *path, size_t most)
{
	size_t length = strlen(path);

	if (length <= most)
		return path;
	path += length - most;
	while ((*path & 0xc0) == 0x80)
		path++;
	return path;
}

/* As users see it: elements of queues have long paths. */
static int show_path(const char *path, struct buffer *ret)
{
	const char *name;
	size_t folder;

	if (!directory_type_parse(path, &folder, &name))
		return buffer_puts(ret, path);
	return buffer_append(ret, path, folder) ?: buffer_puts(ret, name);
}

static int list_path(void *context, const char *path,
		     const struct delta_entry *entry)
{
	struct listing *l = context;
	scoped_buffer struct buffer quoted = { 0 }, shown = { 0 };
	const char *tail;
	int r;

	if (l->count++ == 0)
		l->kind = entry->kind;
	if (l->full)
		return 0;
	r = show_path(path, &shown);
	if (r)
		return r;
	path = shown.data;
	tail = path_tail(path, LISTED_MAX);
	r = quote_path(tail, &quoted);
	if (r)
		return r;
	if (l->count > 1 && l->paths.length + quoted.length > LISTED_MAX) {
		l->full = true;
		return buffer_puts(&l->paths, ", ...");
	}
	return buffer_printf(&l->paths, "%s%s%s", l->count > 1 ? ", " : "",
			     tail == path ? "" : "...",
			     quoted.data ? quoted.data : "");
}

static int describe(const struct delta *delta, struct buffer *ret)
{
	scoped(buffer_release) struct buffer paths = { 0 };
	struct listing l = { 0 };
	int r = delta ? delta_walk(delta, list_path, &l) : 0;

	paths = l.paths;
	if (r)
		return r;
	if (!l.count)
		return buffer_puts(ret, "Update directories");
	if (l.count > 1)
		return buffer_printf(ret, "Update %zu paths: %s", l.count,
				     paths.data);
	return buffer_printf(ret, "%s %s", l.kind == DELTA_REMOVED ?
			     "Remove" : "Update", paths.data);
}

/* ---- messages ---- */

/* Without blank lines at both ends; false: nothing is left. */
static bool trim(const char **text, size_t *ret_length)
{
	const char *start = *text + strspn(*text, "\n"), *end;

	end = start + strlen(start);
	while (end > start && strchr(" \t\n", end[-1]))
		end--;
	*text = start;
	*ret_length = end - start;
	return end > start;
}

int message_compose(const char *text, const struct delta *delta,
		    const char *trailers, char **ret_message)
{
	scoped_buffer struct buffer message = { 0 };
	size_t length;
	int r;

	if (text && trim(&text, &length))
		r = buffer_append(&message, text, length);
	else
		r = describe(delta, &message);
	if (!r)
		r = buffer_printf(&message, "\n\n%s", trailers ? trailers : "");
	if (!r)
		*ret_message = STEAL(message.data);
	return r;
}

static int signature_copy(struct signature *ret, const struct signature *from,
			  int64_t time)
{
	return signature_init(ret, from->name, from->email, time, from->offset);
}

/* Two cuts of one branch never run at once: this is called in take. */
static int64_t next_time(struct branch *b, int64_t now)
{
	if (!b)
		return now;
	if (b->time < now)
		b->time = now;
	return b->time;
}

static int commit_begin(struct branch *b, const struct identity *identity,
			struct commit **ret_commit)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	int64_t time = next_time(b, identity->author.time);
	int r;

	if (!commit)
		return -ENOMEM;
	r = signature_copy(&commit->author, &identity->author, time);
	if (!r)
		r = signature_copy(&commit->committer, &identity->author, time);
	if (r) {
		commit_free(commit);
		return r;
	}
	*ret_commit = commit;
	return 0;
}

int commit_compose(struct branch *b, const struct identity *identity,
		   const char *text, const struct delta *delta,
		   struct commit **ret_commit)
{
	struct commit *commit;
	int r = commit_begin(b, identity, &commit);

	if (r)
		return r;
	r = message_compose(text, delta, identity->trailers, &commit->message);
	if (r) {
		commit_free(commit);
		return r;
	}
	*ret_commit = commit;
	return 0;
}

int commit_compose_later(struct branch *b, const struct identity *identity,
			 struct record *record)
{
	int r = commit_begin(b, identity, &record->commit);

	if (r)
		return r;
	record->trailers = strdup(identity->trailers);
	if (record->trailers)
		return 0;
	commit_free(record->commit);
	record->commit = NULL;
	return -ENOMEM;
}
