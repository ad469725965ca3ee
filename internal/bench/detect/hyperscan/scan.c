/* scan PATTERNS CORPUS: scans the corpus line by line with Hyperscan in block
 * mode, with start of match, and prints the CPU seconds and the number of matches.
 * PATTERNS has a name, a tab and an expression in each line.
 */
#define _GNU_SOURCE
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned long long matches;

static int found(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
	matches++;
	return 0;
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
	char *expressions[64], *line = NULL;
	unsigned ids[64], flags[64], n = 0;
	size_t capacity = 0;
	ssize_t length;
	if (argc != 3) return 2;
	FILE *f = fopen(argv[1], "r");
	if (!f) return 2;
	while (n < 64 && (length = getline(&line, &capacity, f)) > 0) {
		line[length - 1] = 0;
		char *tab = strchr(line, '\t');
		if (!tab) continue;
		expressions[n] = strdup(tab + 1);
		ids[n] = n;
		flags[n] = HS_FLAG_SOM_LEFTMOST;
		n++;
	}
	fclose(f);
	hs_database_t *database;
	hs_compile_error_t *error;
	if (hs_compile_multi((const char *const *)expressions, flags, ids, n, HS_MODE_BLOCK, NULL, &database, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	hs_scratch_t *scratch = NULL;
	if (hs_alloc_scratch(database, &scratch)) return 1;
	f = fopen(argv[2], "r");
	if (!f) return 2;
	fseek(f, 0, SEEK_END);
	size_t size = ftell(f);
	rewind(f);
	char *text = malloc(size);
	if (!text || fread(text, 1, size, f) != size) return 2;
	double start = now();
	for (size_t i = 0; i < size;) {
		char *end = memchr(text + i, '\n', size - i);
		size_t stop = end ? (size_t)(end - text) : size;
		hs_scan(database, text + i, stop - i, 0, scratch, found, NULL);
		i = stop + 1;
	}
	printf("%.6f %llu\n", now() - start, matches);
	return 0;
}
