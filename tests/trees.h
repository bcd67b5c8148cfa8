/* SPDX-License-Identifier: ISC */
#ifndef TESTS_TREES_H
#define TESTS_TREES_H

#include "store/tree.h"
#include "store/util.h"

#include <stdio.h>

/* Trees as text, one path a line, in Git's order:
 *
 *	a/b=contents		a file; "\n" in contents is a newline
 *	x a/b=contents		an executable file
 *	l a/b=target		a symbolic link
 *	s a/b=40 digits		a submodule
 */

struct text_entry {
	uint32_t mode;
	char *path;
	struct oid oid;
};

static inline void text_unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (p[0] == '\\' && p[1] == 'n') {
			*to++ = '\n';
			p++;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

static inline void text_parse_line(struct odb *odb, char *line,
				   struct text_entry *ret)
{
	char *equals = strchr(line, '='), *path = line;

	assert_non_null(equals);
	*equals = '\0';
	ret->mode = MODE_FILE;
	if (line[0] && line[1] == ' ') {
		ret->mode = line[0] == 'x' ? MODE_EXECUTABLE :
			    line[0] == 'l' ? MODE_SYMLINK : MODE_SUBMODULE;
		path += 2;
	}
	ret->path = path;
	text_unescape(equals + 1);
	if (ret->mode == MODE_SUBMODULE)
		assert_int_equal(oid_parse(equals + 1, &ret->oid), 0);
	else
		assert_int_equal(odb_write(odb, OBJECT_BLOB, equals + 1,
					   strlen(equals + 1), &ret->oid), 0);
}

/* Stores the tree of entries that begin with the same `depth` bytes. */
static inline struct oid text_store(struct odb *odb,
				    const struct text_entry *entries,
				    size_t count, size_t depth)
{
	struct tree_entry *made = calloc(count + 1, sizeof(*made));
	char **names = calloc(count + 1, sizeof(*names));
	size_t n = 0;
	struct oid oid;

	for (size_t i = 0; i < count;) {
		const char *name = entries[i].path + depth;
		size_t length = strcspn(name, "/"), end = i + 1;

		names[n] = strndup(name, length);
		made[n].name = names[n];
		if (name[length] == '\0') {
			made[n].mode = entries[i].mode;
			made[n].oid = entries[i].oid;
		} else {
			while (end < count && strncmp(entries[end].path + depth,
						      name, length + 1) == 0)
				end++;
			made[n].mode = MODE_TREE;
			made[n].oid = text_store(odb, entries + i, end - i,
						 depth + length + 1);
		}
		i = end;
		n++;
	}
	assert_int_equal(tree_write(odb, made, n, &oid), 0);
	while (n)
		free(names[--n]);
	free(names);
	free(made);
	return oid;
}

/* Paths of one folder must follow each other. */
static inline struct oid text_to_tree(struct odb *odb, const char *text)
{
	char *copy = strdup(text), *save = NULL;
	struct text_entry *entries = calloc(strlen(text) + 1, sizeof(*entries));
	size_t count = 0;
	struct oid oid;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		text_parse_line(odb, line, &entries[count++]);
	oid = text_store(odb, entries, count, 0);
	free(entries);
	free(copy);
	return oid;
}

static inline void text_print_escaped(FILE *out, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			fputs("\\n", out);
		else
			fputc(data[i], out);
	}
	fputc('\n', out);
}

static inline void text_print(FILE *out, struct odb *odb,
			      const struct oid *oid, const char *prefix)
{
	struct tree *tree;

	assert_int_equal(tree_read(odb, oid, &tree), 0);
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *e = &tree->entries[i];
		char *path = NULL, hex[OID_HEX_SIZE];
		void *data;
		size_t size;

		assert_true(asprintf(&path, "%s%s%s", prefix,
				     *prefix ? "/" : "", e->name) > 0);
		if (e->mode == MODE_TREE) {
			text_print(out, odb, &e->oid, path);
		} else {
			fprintf(out, "%s%s=", e->mode == MODE_EXECUTABLE ? "x " :
				e->mode == MODE_SYMLINK ? "l " :
				e->mode == MODE_SUBMODULE ? "s " : "", path);
			if (e->mode == MODE_SUBMODULE) {
				fprintf(out, "%s\n", oid_hex(&e->oid, hex));
			} else {
				assert_int_equal(odb_read(odb, &e->oid,
							  OBJECT_BLOB, &data,
							  &size), 0);
				text_print_escaped(out, data, size);
				free(data);
			}
		}
		free(path);
	}
	tree_free(tree);
}

/* The caller frees it. */
static inline char *tree_to_text(struct odb *odb, const struct oid *oid)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	text_print(out, odb, oid, "");
	fclose(out);
	return text;
}

#endif
